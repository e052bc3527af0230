# shellcheck shell=bash
# A node as the kernel sees it: cgroups, and a PID + mount + network namespace.
#
# Who belongs to a node is asked of the kernel: the members of its cgroups, whose name
# follows from the folder (ID) and the node's number. No pid file is ever trusted, so none
# is written.

# shellcheck source=network.sh
. "$CLUSTER_SRC/lib/network.sh"
# shellcheck source=nodes.sh
. "$CLUSTER_SRC/lib/nodes.sh"

# ---- cgroups ---------------------------------------------------------------

# The mount points that can hold cgroups: one for version 2; for version 1 one for each
# controller, and often a version 2 without controllers, where runc makes groups as well.
cgroup_hierarchies() {
  if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
    echo /sys/fs/cgroup
  else
    awk '$(NF-2) ~ /^cgroup2?$/ && !seen[$5]++ { print $5 }' /proc/self/mountinfo
  fi
}

# Version 2 hands controllers down only where each parent says so.
delegate_controllers() {
  local group=$1 controller
  for controller in $(cat "$group/cgroup.controllers"); do
    case $controller in
      cpu | cpuset | memory | pids | io | hugetlb)
        echo "+$controller" >"$group/cgroup.subtree_control" || return 1
        ;;
    esac
  done
}

# GROUP/system holds the components, GROUP/kubepods (the kubelet's) the pods: version 2
# allows no process in a group that hands controllers on.
make_cgroups() {
  local top group
  for top in $(cgroup_hierarchies); do
    group=$top/$CGROUP
    mkdir -p "$group/system" || return 1
    if [ -e "$group/cgroup.controllers" ]; then
      delegate_controllers "$top" && delegate_controllers "$group" || return 1
    elif [ -e "$group/cpuset.cpus" ]; then
      # A new cpuset of version 1 is empty, and an empty one takes no process.
      cat "$top/cpuset.cpus" >"$group/cpuset.cpus" &&
        cat "$top/cpuset.mems" >"$group/cpuset.mems" &&
        cat "$top/cpuset.cpus" >"$group/system/cpuset.cpus" &&
        cat "$top/cpuset.mems" >"$group/system/cpuset.mems" || return 1
    fi
  done
}

# Of any node of this cluster.
cgroups_exist() {
  local top
  for top in $(cgroup_hierarchies); do
    [ -z "$(compgen -G "$top/gamewarden-$ID*")" ] || return 0
  done
  return 1
}

join_cgroups() {
  local top
  for top in $(cgroup_hierarchies); do
    echo "$BASHPID" >"$top/$CGROUP/system/cgroup.procs" || return 1
  done
}

# Host pids of every process of the node, components and pods alike.
node_pids() {
  local top
  for top in $(cgroup_hierarchies); do
    [ -d "$top/$CGROUP" ] || continue
    find "$top/$CGROUP" -name cgroup.procs -exec cat {} + 2>/dev/null
  done | sort -un
}

component_pids() {
  local top
  for top in $(cgroup_hierarchies); do
    cat "$top/$CGROUP/system/cgroup.procs" 2>/dev/null && return
  done
  return 0
}

# The init of the node's PID namespace: it is process 1 in a namespace exactly one level
# below ours. (The init of a container is two levels below.)
node_init() {
  local pid name ours inner deeper
  for pid in $(component_pids); do
    while read -r name ours inner deeper; do
      if [ "$name" = NSpid: ] && [ "$inner" = 1 ] && [ -z "$deeper" ]; then
        echo "$ours"
        return 0
      fi
    done 2>/dev/null <"/proc/$pid/status"
  done
  return 1
}

node_alive() { INIT=$(node_init); }

# One line per running component: its host pid and its name.
components() {
  local pid name
  for pid in $(component_pids); do
    name=$(readlink "/proc/$pid/exe" 2>/dev/null) || continue
    # A program that was built anew since is still the one that runs.
    name=${name% (deleted)}
    case $name in "$BIN"/*) printf '%s %s\n' "$pid" "${name##*/}" ;; esac
  done
}

# component_alive NAME [COMPONENTS]
component_alive() {
  local running=${2-$(components)}
  [[ $'\n'$running$'\n' == *" $1"$'\n'* ]]
}

components_alive() {
  local running name control_plane=()
  [ "$NODE" != 0 ] ||
    control_plane=(etcd kube-apiserver kube-controller-manager kube-scheduler)
  running=$(components)
  for name in "${control_plane[@]}" "$RUNTIME" kubelet kube-proxy; do
    component_alive "$name" "$running" || return 1
  done
}

# ---- the node's own view of the machine -------------------------------------

# in_node COMMAND...: run it inside, as on a shell of the node. Set INIT first.
in_node() {
  nsenter --target "$INIT" --mount --net --pid -- "$@"
}

# What outlives us must not hold what we were given: a lock of ours, or one that somebody took
# around us (flock FILE tests/cluster/up).
close_inherited() {
  local fd
  for fd in "/proc/$BASHPID/fd"/*; do
    fd=${fd##*/}
    [ "$fd" -le 2 ] || eval "exec $fd>&-" 2>/dev/null || true
  done
}

# start_component NAME COMMAND...: in the node, for good, with a log of its own.
# setsid --fork leaves the component to the node's init, so that no process of ours
# outside the namespaces lingers as its parent. The environment is a bare one: a person's
# proxy or credentials have no business in there.
start_component() {
  local name=$1
  shift
  (
    join_cgroups || exit 1
    close_inherited
    exec env -i PATH="$BIN:$PATH" HOME=/ TMPDIR=/run/gamewarden/tmp \
      nsenter --target "$INIT" --mount --net --pid -- \
      setsid --fork "$@" >>"$NODE_LOGS/$name.log" 2>&1 </dev/null
  ) || die_with_log "$NODE_LOGS/$name.log" "$name could not be started"
}

start_node() {
  make_cgroups || die "the cgroups of the node could not be made under /sys/fs/cgroup" \
    "(in a container of version 2? its processes must first leave the topmost group)"
  mkdir -p "$NODE_STATE" "$NODE_LOGS" "$CONF"
  (
    join_cgroups || exit 1
    close_inherited
    exec env -i PATH="$PATH" unshare --mount --net --pid --fork --propagation slave -- \
      bash "$CLUSTER_SRC/lib/node-init" "$NODE_STATE" "$BIN/pause" >>"$NODE_LOGS/node.log" 2>&1 </dev/null
  ) &
  disown
  local deadline=$((SECONDS + 20))
  # node-init says so once all mounts are in place, just before it becomes `pause`.
  until [ -e "$NODE_STATE/ready" ] && node_alive; do
    [ "$SECONDS" -lt "$deadline" ] ||
      die_with_log "$NODE_LOGS/node.log" "the namespaces of the node did not come up"
    sleep 0.05
  done
}

# ---- the end -----------------------------------------------------------------

# The death of the init takes every process, mount, interface and iptables rule along.
# A process that joined our cgroup but not yet the namespace goes one by one.
kill_node() {
  local pid deadline=$((SECONDS + 20)) left
  [ "$NODE" != 0 ] || ip link delete "$VETH" 2>/dev/null || true
  while :; do
    if node_alive; then
      kill -KILL "$INIT" 2>/dev/null || true
    else
      for pid in $(node_pids); do
        [ "$pid" = "$BASHPID" ] || kill -KILL "$pid" 2>/dev/null || true
      done
    fi
    # A frozen process (version 1) does not even die.
    if [ -d "/sys/fs/cgroup/freezer/$CGROUP" ]; then
      find "/sys/fs/cgroup/freezer/$CGROUP" -name freezer.state \
        -exec sh -c 'for f; do echo THAWED >"$f"; done' sh {} + 2>/dev/null || true
    fi
    left=$(node_pids)
    [ -n "$left" ] || break
    [ "$SECONDS" -lt "$deadline" ] ||
      die "these processes of the node do not die: ${left//$'\n'/ }"
    sleep 0.05
  done
}

remove_cgroups() {
  local top deadline=$((SECONDS + 10))
  for top in $(cgroup_hierarchies); do
    [ -d "$top/$CGROUP" ] || continue
    # The kernel may hold a group for a moment after its last process.
    until find "$top/$CGROUP" -depth -type d -exec rmdir {} + 2>/dev/null; do
      [ -d "$top/$CGROUP" ] || break
      [ "$SECONDS" -lt "$deadline" ] || die "could not remove the cgroup $top/$CGROUP"
      sleep 0.05
    done
  done
}

# Nothing of ours is mounted on the host; but what is removed below must be ours alone,
# and a bind mount left there by hand would be emptied too.
unmount_below() {
  local mount
  awk -v dir="$1/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r |
    while read -r mount; do
      umount --lazy "$(printf '%b' "$mount")"
    done
}

remove_state() {
  unmount_below "$DIR"
  rm -rf --one-file-system "$STATE" "$KUBECONFIG_FILE" "$DIR"/{containerd,node-*}.sock
}

# Whatever the kernel holds of the node is gone afterwards.
end_node() {
  kill_node
  remove_cgroups
}

# And of the cluster.
end_cluster() {
  local number
  for number in $(added_nodes) 0; do
    use_node "$number"
    end_node
  done
}

# And whatever it left on the disk.
clean_cluster() {
  end_cluster
  remove_state
}
