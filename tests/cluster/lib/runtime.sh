# shellcheck shell=bash
# The container runtime of the nodes, and all that differs between one and another. Paths are the usual ones of a node, as in
# node.sh.

# The one that CONTAINER_RUNTIME says is that of the next start.
choose_runtime() {
  local name
  RUNTIME=$CONTAINER_RUNTIME
  case $RUNTIME in
    containerd) ;;
    crio)
      # They come with CRI-O's packages; conmon and skopeo are Debian's.
      for name in crio pinns; do
        command -v "$name" >/dev/null || die "CONTAINER_RUNTIME=crio needs $name in the PATH: CRI-O is not built here"
      done
      DEPENDENCIES+=(conmon:conmon skopeo:skopeo)
      ;;
    *) die "CONTAINER_RUNTIME is $RUNTIME; it can be containerd or crio" ;;
  esac
}

# It is the one that runs from now on, for all who ask (see common.sh). Nothing runs when this is called.
note_runtime() {
  rm -f "$BIN"/{crio,pinns}
  [ "$RUNTIME" != crio ] || cp "$(command -v crio)" "$(command -v pinns)" "$BIN/"
}

# Where it listens, in a node.
runtime_socket() {
  case $RUNTIME in
    containerd) echo /run/containerd/containerd.sock ;;
    crio) echo /run/crio/crio.sock ;;
  esac
}

start_runtime() {
  configure_cni
  "configure_$RUNTIME"
  "start_$RUNTIME"
}

runtime_ready() { "${RUNTIME}_ready"; }

# An overlay cannot lie on another one (a checkout inside a container).
overlay_works() { [ "$(stat -f -c %T "$STATE")" != overlayfs ]; }

configure_cni() {
  # ptp rather than bridge: traffic between pods is then routed, and Service addresses
  # work without br_netfilter, a module that the host would have to load.
  mkdir -p "$CONF/cni"
  cat >"$CONF/cni/10-pods.conflist" <<JSON
{
  "cniVersion": "1.0.0",
  "name": "pods",
  "plugins": [
    {
      "type": "ptp",
      "ipMasq": false,
      "ipam": {
        "type": "host-local",
        "dataDir": "/var/lib/cni/networks",
        "ranges": [[{"subnet": "$POD_CIDR", "gateway": "$POD_GATEWAY"}]],
        "routes": [{"dst": "0.0.0.0/0"}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
JSON
}

# ---- containerd ------------------------------------------------------------------------

configure_containerd() {
  local snapshotter=overlayfs version=3 cri=io.containerd.cri.v1.runtime
  overlay_works || snapshotter=native
  # In version 1 the CRI is one plugin, with settings of other names.
  case $("$BIN/containerd" --version) in *' v1.'*) version=2 cri=io.containerd.grpc.v1.cri ;; esac
  cat >"$CONF/containerd.toml" <<TOML
version = $version
root = "/var/lib/containerd"
state = "/run/containerd"

# A plugin that makes /opt/containerd on the machine.
disabled_plugins = ["io.containerd.internal.v1.opt"]

[grpc]
  address = "/run/containerd/containerd.sock"

[plugins.'$cri'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins.'$cri']
  # Pods get a negative score, which needs CAP_SYS_RESOURCE; a machine without it gets as
  # near as it may, instead of no sandbox at all.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
TOML
  if [ "$version" = 2 ]; then
    cat <<TOML
  sandbox_image = "$PAUSE_IMAGE"

[plugins.'$cri'.containerd]
  snapshotter = "$snapshotter"

[plugins.'$cri'.cni]
  bin_dir = "$BIN/cni"
  conf_dir = "$CONF/cni"
TOML
  else
    cat <<TOML
  # By default every shim is asked every second what it has used, which takes more than a core at 250 pods. Nobody reads it here.
  stats_collect_period = "1m"

[plugins.'$cri'.cni]
  bin_dirs = ["$BIN/cni"]
  conf_dir = "$CONF/cni"

[plugins.'io.containerd.cri.v1.images']
  snapshotter = "$snapshotter"

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "$PAUSE_IMAGE"
TOML
  fi >>"$CONF/containerd.toml"
}

start_containerd() {
  ln -sfn "${NODE_STATE#"$DIR"/}$(runtime_socket)" "$SOCKET"
  start_component containerd "$BIN/containerd" --config "$CONF/containerd.toml"
}

containerd_ready() { "$BIN/ctr" --address "$SOCKET" version; }

# ctr_images SOCKET COMMAND...: in the namespace of containerd where the kubelet looks, without its advice about the machine.
ctr_images() {
  local socket=$1
  shift
  "$BIN/ctr" --address "$socket" --namespace k8s.io images "$@" 2> >(grep -v 'msg="DEPRECATION' >&2)
}

# On a busy machine ctr now and then takes a good archive for none ("unrecognized image format"); the next time it does not.
containerd_import() {
  local _
  for _ in 1 2 3; do
    ctr_images "$SOCKET" import "$1" && return
  done
  return 1
}

containerd_digest() { ctr_images "$SOCKET" ls "name==$1" | awk 'NR == 2 { print $3 }'; }

# Through a file: a pipe cannot be read a second time.
containerd_copy_images() {
  local names file=$1
  # By name; by digest they are the same ones once more.
  names=$(ctr_images "$DIR/containerd.sock" ls --quiet | grep -v '^sha256:\|@sha256:') || return 1
  # shellcheck disable=SC2086 # one word each
  ctr_images "$DIR/containerd.sock" export "$file" $names && containerd_import "$file" && rm "$file"
}

# ---- CRI-O -------------------------------------------------------------------------------

configure_crio() {
  local driver=overlay
  overlay_works || driver=vfs
  echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$CONF/policy.json"
  cat >"$CONF/crio.conf" <<TOML
[crio]
root = "/var/lib/containers/storage"
runroot = "/run/containers/storage"
storage_driver = "$driver"
log_dir = "/var/log/crio/pods"
version_file = "/run/crio/version"
clean_shutdown_file = ""

[crio.api]
listen = "$(runtime_socket)"

[crio.runtime]
cgroup_manager = "cgroupfs"
default_runtime = "runc"
pinns_path = "$BIN/pinns"
hooks_dir = []
container_exits_dir = "/run/crio/exits"
container_attach_socket_dir = "/run/crio"
namespaces_dir = "/run/crio/ns"

[crio.runtime.runtimes.runc]
runtime_path = "$(command -v runc)"
runtime_root = "/run/runc"
monitor_path = "$(command -v conmon)"
monitor_cgroup = "pod"

[crio.image]
pause_image = "$PAUSE_IMAGE"
pause_command = "/pause"
signature_policy = "$CONF/policy.json"
signature_policy_dir = "/run/crio/policies"
namespaced_auth_dir = "/run/crio/auth"

[crio.network]
network_dir = "$CONF/cni"
plugin_dirs = ["$BIN/cni"]
TOML
}

start_crio() {
  # Nothing of what the machine has set for a CRI-O of its own. (conmon writes files to where it is started.)
  start_component crio env --chdir=/run/crio "$BIN/crio" --config "$CONF/crio.conf" --config-dir ''
}

crio_ready() { in_node "$BIN/crio" status --socket "$(runtime_socket)" info; }

skopeo_in() {
  local init=$1
  shift
  INIT=$init in_node env TMPDIR=/run/gamewarden/tmp skopeo --insecure-policy "$@"
}

# storage NAME: the image NAME as skopeo is told of it.
storage() {
  local driver=overlay
  overlay_works || driver=vfs
  echo "containers-storage:[$driver@/var/lib/containers/storage+/run/containers/storage]$1"
}

crio_import() { skopeo_in "$INIT" copy --quiet "oci-archive:$1" "$(storage "$(image_in "$1" name)")"; }

crio_digest() { skopeo_in "$INIT" inspect --format '{{.Digest}}' "$(storage "$1")"; }

# Nothing but skopeo reads what node 0 has, and it lists no images.
crio_copy_images() {
  local names name file=$1
  names=$(python3 -c 'import json, sys
for image in json.load(sys.stdin): print(*image["names"] or [], sep="\n")' \
    <"$STATE"/node/var/lib/containers/storage/*-images/images.json) || return 1
  for name in $names; do
    skopeo_in "$FIRST_INIT" copy --quiet --preserve-digests "$(storage "$name")" "oci-archive:$file" &&
      skopeo_in "$INIT" copy --quiet "oci-archive:$file" "$(storage "$name")" && rm "$file" || return 1
  done
}
