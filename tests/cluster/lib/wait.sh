# shellcheck shell=bash
# Waiting for what is wanted, with a deadline, and never for a guessed time.

# wait_for SECONDS LOG WHAT COMMAND...: until COMMAND succeeds. Past the deadline, or
# once a started component is gone, the end of LOG is shown and the run ends.
wait_for() {
  local deadline=$((SECONDS + $1)) log=$2 what=$3
  shift 3
  until "$@" >/dev/null 2>&1; do
    if ! node_alive; then
      die_with_log "$log" "the node died while waiting for $what"
    fi
    if [ "$SECONDS" -ge "$deadline" ]; then
      die_with_log "$log" "gave up waiting for $what"
    fi
    sleep 0.1
  done
}

kube() { "$BIN/kubectl" --kubeconfig "$KUBECONFIG_FILE" --request-timeout 5s "$@"; }

api_ready() { kube get --raw /readyz; }

etcd_ready() {
  # A port that accepts is enough: the API server tries until etcd serves.
  in_node bash -c 'exec 3<>/dev/tcp/127.0.0.1/2379'
}

node_ready() {
  [ "$(kube get node "$NODE_NAME" -o \
    'jsonpath={.status.conditions[?(@.type=="Ready")].status}' 2>/dev/null)" = True ]
}

# Pods are refused until the controller manager has made it.
default_account_exists() { kube -n default get serviceaccount default; }

# kube-proxy's first rule is the one for the API server itself.
service_rules_written() {
  local rules
  rules=$(in_node iptables -w -t nat -S KUBE-SERVICES) &&
    [[ $rules == *"-d $KUBERNETES_SERVICE_IP/32"* ]]
}

cluster_healthy() {
  node_alive && network_is_ours && components_alive &&
    api_ready >/dev/null 2>&1 && node_ready
}
