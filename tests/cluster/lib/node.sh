# shellcheck shell=bash
# containerd, the kubelet and kube-proxy. Paths are the usual ones of a node: the mount
# namespace puts them into the cluster's folder (see node-init).

start_containerd() {
  local snapshotter=overlayfs version=3 cri=io.containerd.cri.v1.runtime
  # An overlay cannot lie on another one (a checkout inside a container).
  [ "$(stat -f -c %T "$STATE")" != overlayfs ] || snapshotter=native
  # In version 1 the CRI is one plugin, with settings of other names.
  case $CONTAINERD_VERSION in 1.*) version=2 cri=io.containerd.grpc.v1.cri ;; esac
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
  start_component containerd "$BIN/containerd" --config "$CONF/containerd.toml"
}

link_socket() {
  ln -sfn "${NODE_STATE#"$DIR"/}/run/containerd/containerd.sock" "$SOCKET"
}

containerd_ready() { "$BIN/ctr" --address "$SOCKET" version; }

# start_kubelet [TAINT]: one as in a Node's spec. It is there from the beginning, so that
# nothing slips in before.
start_kubelet() {
  cat >"$CONF/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $PKI/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: $PKI/$NODE_NAME.crt
tlsPrivateKeyFile: $PKI/$NODE_NAME.key
clusterDomain: cluster.local
clusterDNS: [$DNS_SERVICE_IP]
podCIDR: $POD_CIDR
maxPods: 400
volumePluginDir: /var/lib/kubelet/volume-plugins
# Version 1 is refused by default, and is what some machines still have.
failCgroupV1: false
failSwapOn: false
cgroupDriver: cgroupfs
cgroupRoot: /$CGROUP
# There is no registry to fetch a collected image from again, and a full disk elsewhere on
# the machine must not evict game servers.
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard:
  imagefs.available: 1%
  memory.available: 100Mi
  nodefs.available: 1%
serializeImagePulls: false
# Tests look at events: none is dropped.
eventRecordQPS: 0
# Renewed every 5 s: see the controller manager's grace period.
nodeLeaseDurationSeconds: 20
registerWithTaints: [${1:-}]
YAML
  start_component kubelet "$BIN/kubelet" --config "$CONF/kubelet.yaml" \
    --kubeconfig "$PKI/$NODE_NAME.kubeconfig" --hostname-override "$NODE_NAME" \
    --node-ip "$NODE_IP" --root-dir /var/lib/kubelet
}

start_proxy() {
  # Timeouts and sizes of 0 leave the machine's connection tracking as it is.
  cat >"$CONF/proxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clientConnection: {kubeconfig: $PKI/proxy.kubeconfig}
clusterCIDR: $ALL_PODS_CIDR
hostnameOverride: $NODE_NAME
conntrack:
  maxPerCore: 0
  min: 0
  tcpEstablishedTimeout: 0s
  tcpCloseWaitTimeout: 0s
YAML
  start_component kube-proxy "$BIN/kube-proxy" --config "$CONF/proxy.yaml"
}
