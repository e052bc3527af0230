# shellcheck shell=bash
# etcd, the API server, the controller manager and the scheduler. Ports are the defaults:
# the network namespace is theirs alone.

start_etcd() {
  # No fsync: the data never outlives one run, and the disk may be slow and shared.
  start_component etcd "$BIN/etcd" --name "$NODE_NAME" --data-dir /var/lib/etcd --unsafe-no-fsync \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster "$NODE_NAME=http://127.0.0.1:2380" \
    --quota-backend-bytes 4294967296 --auto-compaction-retention 1h --log-level warn
}

start_apiserver() {
  local flags=(
    --etcd-servers http://127.0.0.1:2379
    --bind-address 0.0.0.0
    --advertise-address "$API_IP"
    --secure-port 6443
    --tls-cert-file "$PKI/apiserver.crt"
    --tls-private-key-file "$PKI/apiserver.key"
    --client-ca-file "$PKI/ca.crt"
    --authorization-mode Node,RBAC
    --enable-admission-plugins NodeRestriction
    --allow-privileged

    --service-cluster-ip-range "$SERVICE_CIDR"
    --service-account-issuer https://kubernetes.default.svc
    --service-account-key-file "$PKI/service-accounts.pub"
    --service-account-signing-key-file "$PKI/service-accounts.key"

    --kubelet-certificate-authority "$PKI/ca.crt"
    --kubelet-client-certificate "$PKI/apiserver-kubelet-client.crt"
    --kubelet-client-key "$PKI/apiserver-kubelet-client.key"
    --kubelet-preferred-address-types InternalIP

    # Aggregated APIs (a metrics adapter for autoscaling, say).
    --requestheader-client-ca-file "$PKI/front-proxy-ca.crt"
    --requestheader-allowed-names front-proxy-client
    --requestheader-username-headers X-Remote-User
    --requestheader-group-headers X-Remote-Group
    --requestheader-extra-headers-prefix X-Remote-Extra-
    --proxy-client-cert-file "$PKI/front-proxy-client.crt"
    --proxy-client-key-file "$PKI/front-proxy-client.key"
  )
  start_component kube-apiserver "$BIN/kube-apiserver" "${flags[@]}"
}

# Limits on requests are those of a larger cluster: with the defaults the controller manager
# needs 5 s to begin and a set of 250 pods crawls. Elections are off: there is one of each, and a lease would only delay it by seconds.
# A lost node is noticed after 20 s instead of 50: tests wait for it.
start_controllers() {
  start_component kube-controller-manager "$BIN/kube-controller-manager" \
    --kubeconfig "$PKI/controller-manager.kubeconfig" \
    --authentication-kubeconfig "$PKI/controller-manager.kubeconfig" \
    --authorization-kubeconfig "$PKI/controller-manager.kubeconfig" \
    --root-ca-file "$PKI/ca.crt" \
    --service-account-private-key-file "$PKI/service-accounts.key" \
    --cluster-signing-cert-file "$PKI/ca.crt" --cluster-signing-key-file "$PKI/ca.key" \
    --use-service-account-credentials --bind-address 127.0.0.1 --leader-elect=false \
    --kube-api-qps 300 --kube-api-burst 600 \
    --node-monitor-grace-period 20s --node-monitor-period 2s \
    --flex-volume-plugin-dir /var/lib/kubelet/volume-plugins
  start_component kube-scheduler "$BIN/kube-scheduler" \
    --kubeconfig "$PKI/scheduler.kubeconfig" --kube-api-qps 300 --kube-api-burst 600 \
    --authentication-kubeconfig "$PKI/scheduler.kubeconfig" \
    --authorization-kubeconfig "$PKI/scheduler.kubeconfig" \
    --bind-address 127.0.0.1 --leader-elect=false
}
