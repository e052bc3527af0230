# shellcheck shell=bash
# Where everything is, and how the scripts talk to the person who runs them.

# Debian keeps ip, iptables and runc in sbin, which a `su` without `-` leaves out.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export LC_ALL=C
umask 022

CLUSTER_SRC=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
REPO=$(cd "$CLUSTER_SRC/../.." && pwd -P)
# shellcheck source=versions.env
. "$CLUSTER_SRC/versions.env"

# Go and the cache want a home; sudo and cron may come without.
if [ -z "${HOME:-}" ]; then
  HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
  export HOME
fi

DIR=$(realpath -m "${GAMEWARDEN_CLUSTER_DIR:-$REPO/.cluster}")
BIN=$DIR/bin
LOGS=$DIR/logs
STATE=$DIR/state
KUBECONFIG_FILE=$DIR/kubeconfig
# The container runtime that a cluster runs is the one that `up` has put into its bin/.
RUNTIME=containerd
[ ! -e "$BIN/crio" ] || RUNTIME=crio
CACHE=$(realpath -m "${GAMEWARDEN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gamewarden}")

# What the configuration files, mount tables and unix sockets below can all carry.
case $DIR in
  *[!A-Za-z0-9._/@+-]*)
    echo "tests/cluster: $DIR holds characters that a path here cannot have; set" \
      "GAMEWARDEN_CLUSTER_DIR to a plainer folder" >&2
    exit 1
    ;;
esac

# One name for all that the kernel holds for this cluster: cgroups and the veth. It
# follows from the folder alone, so that remains are found without trusting any file.
ID=$(printf '%s' "$DIR" | sha256sum | cut -c1-8)

# ---- messages --------------------------------------------------------------

# SECONDS counts from the shell's start; a sourced script keeps its caller's count.
LINE_OPEN=

stamp() { printf '[%4ds] ' "$SECONDS"; }

close_line() {
  [ -z "$LINE_OPEN" ] || printf '\n'
  LINE_OPEN=
}

say() {
  close_line
  stamp
  printf '%s\n' "$*"
}

die() {
  close_line >&2
  printf 'tests/cluster: %s\n' "$*" >&2
  exit 1
}

# die_with_log LOG MESSAGE: the end of the log that explains the message.
die_with_log() {
  local log=$1
  shift
  close_line >&2
  if [ -s "$log" ]; then
    printf -- '---- last lines of %s\n' "$log" >&2
    tail -n 30 "$log" >&2
    printf -- '----\n' >&2
  fi
  die "$*"
}

# The process group of a running step: it must not go on without us.
STEP_GROUP=
trap '[ -z "$STEP_GROUP" ] || kill -TERM -- "-$STEP_GROUP" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM HUP

# step LOG WHAT COMMAND...: one line of progress, with a sign of life while it lasts.
# The command's output goes to LOG; its failure shows the end of LOG and ends the run.
step() {
  local log=$1 what=$2 began=$SECONDS pid next status=0
  shift 2
  mkdir -p "$(dirname "$log")"
  close_line
  stamp
  printf '%s …' "$what"
  LINE_OPEN=1
  # Job control gives the step a process group of its own. No lock of ours goes along:
  # it would outlive us in a child that is slow to die.
  set -m
  ("$@") >>"$log" 2>&1 </dev/null {LOCK_FD}>&- &
  pid=$!
  set +m
  STEP_GROUP=$pid
  next=$((SECONDS + 15))
  while kill -0 "$pid" 2>/dev/null; do
    if [ "$SECONDS" -ge "$next" ]; then
      say "  still $what, for $((SECONDS - began))s"
      next=$((SECONDS + 15))
    fi
    sleep 0.1
  done
  wait "$pid" || status=$?
  STEP_GROUP=
  if [ "$status" -ne 0 ]; then
    printf ' FAILED (%ds)\n' "$((SECONDS - began))"
    LINE_OPEN=
    die_with_log "$log" "$what failed"
  fi
  if [ -n "$LINE_OPEN" ]; then
    printf ' done (%ds)\n' "$((SECONDS - began))"
    LINE_OPEN=
  else
    say "  $what: done ($((SECONDS - began))s)"
  fi
}

# ---- what must hold before anything is done --------------------------------

# has_capability BIT
has_capability() {
  local effective
  effective=$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)
  [ $((0x$effective >> $1 & 1)) -eq 1 ]
}

require_machine() {
  [ "$(uname -s)" = Linux ] ||
    die "this needs Linux (this is $(uname -s)): the node is made of Linux namespaces"
  [ "$(uname -m)" = x86_64 ] ||
    die "this needs an x86-64 machine (this is $(uname -m)): nothing else has been tried"
  [ "$(id -u)" -eq 0 ] ||
    die "this needs root: it makes network, mount and PID namespaces and cgroups for a" \
      "Kubernetes node, and installs missing Debian packages. Try the same command as root."
  has_capability 21 ||
    die "this needs CAP_SYS_ADMIN, which root does not have here (an unprivileged" \
      "container?): without it there are no mounts and no namespaces for a node"
  has_capability 12 ||
    die "this needs CAP_NET_ADMIN, which root does not have here (an unprivileged" \
      "container?): without it there is no network for a node"
}

# require_watchers NUMBER: that many more inotify instances. The machine has a limit for each user,
# often 128, and all clusters together share it; components that get none fail in odd ways.
require_watchers() {
  local limit used
  limit=$(cat /proc/sys/fs/inotify/max_user_instances 2>/dev/null || echo 1000000)
  used=$({ find /proc/[0-9]*/fd -lname anon_inode:inotify -printf . 2>/dev/null || true; } | wc -c)
  [ $((used + $1)) -le "$limit" ] ||
    die "this needs $1 more inotify instances, and $used of the machine's $limit are in use (a cluster" \
      "has 20, each further node 9): take others down, or" \
      "sysctl -w fs.inotify.max_user_instances=1024"
}

# ---- one at a time ---------------------------------------------------------

# A folder becomes a cluster's only when it is new or empty, and says so by this file:
# `down` will remove things from it.
MARKER=$DIR/.gamewarden-cluster

# Somebody may have removed the folder, or most of it, under a running cluster; the one
# inside the checkout is ours in any case.
dir_is_ours() {
  [ -e "$MARKER" ] || [ "$DIR" = "$REPO/.cluster" ] || cgroups_exist
}

claim_dir() {
  [ "${#DIR}" -le 90 ] ||
    die "$DIR is too long for the path of a unix socket; set GAMEWARDEN_CLUSTER_DIR to a" \
      "shorter folder"
  mkdir -p "$DIR"
  dir_is_ours || [ -z "$(ls -A "$DIR")" ] ||
    die "$DIR holds files that are not a cluster's; set GAMEWARDEN_CLUSTER_DIR to a folder" \
      "of its own"
  [ -e "$MARKER" ] || : >"$MARKER"
}

# Until then a place-holder, so that it can be closed for children at any time.
exec {LOCK_FD}</dev/null

# The kernel frees the lock when its holder dies, however it dies.
lock_cluster() {
  exec {LOCK_FD}>"$DIR/lock"
  if ! flock --nonblock "$LOCK_FD"; then
    say "another up or down of $DIR is at work; waiting for it"
    flock "$LOCK_FD"
  fi
}
