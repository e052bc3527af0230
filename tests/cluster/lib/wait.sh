# shellcheck shell=bash
# Waiting for what is wanted, with a deadline, and never for a guessed time.

# wait_for SECONDS COMPONENT WHAT COMMAND...: until COMMAND succeeds. Past the deadline, or
# once COMPONENT is gone, the end of its log is shown and the run ends.
wait_for() {
  local began=$SECONDS limit=$1 component=$2 what=$3
  shift 3
  until "$@" >/dev/null 2>&1; do
    node_alive ||
      die_with_log "$NODE_LOGS/node.log" "the node died while waiting for $what"
    # In its first moment a component is still the command that starts it.
    [ "$SECONDS" -lt $((began + 3)) ] || component_alive "$component" ||
      die_with_log "$NODE_LOGS/$component.log" "$component ended while waiting for $what"
    [ "$SECONDS" -lt $((began + limit)) ] ||
      die_with_log "$NODE_LOGS/$component.log" "gave up waiting for $what after ${limit}s"
    sleep 0.1
  done
}

# A proxy for the outside world knows nothing of the node.
kube() {
  NO_PROXY=$API_IP no_proxy=$API_IP "$BIN/kubectl" --kubeconfig "$KUBECONFIG_FILE" \
    --request-timeout 5s "$@"
}

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

node_healthy() { node_alive && components_alive && node_ready; }

# Node 0 with the control plane: what an `up` brings up.
cluster_healthy() {
  use_node 0
  network_is_ours && node_alive && components_alive && api_ready >/dev/null 2>&1 && node_ready
}
