# shellcheck shell=bash
# The kubelet and kube-proxy. Paths are the usual ones of a node: the mount
# namespace puts them into the cluster's folder (see node-init).

# start_kubelet [TAINT]: one as in a Node's spec. It is there from the beginning, so that
# nothing slips in before.
start_kubelet() {
  cat >"$CONF/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://$(runtime_socket)
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
