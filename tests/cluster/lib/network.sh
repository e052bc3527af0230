# shellcheck shell=bash
# Addresses, links and routes. A cluster has one /16 of its own, 10.N.0.0/16:
#   10.N.0.0/22    pods of node 0, 10.N.4.0/22 of node 1, …; 10.N.0.0/17 of all
#   10.N.128.0/20  services
#   10.N.255.1/30  the host's end        10.N.255.2/30  node 0
#   10.N.255.5/30  node 0's end to it    10.N.255.6/30  node 1, …
# The host routes the whole /16 into node 0: pods, services and the API server are reached
# from the host directly. The host forwards nothing and gets no iptables rule, so that pods
# reach the host but no further, which is all that a test should need. Added nodes are linked
# to node 0, which routes between them: the host sees nothing of them.

VETH=gw-$ID
NETWORKS=({213..239})

use_network() {
  NETWORK=$1
  ALL_PODS_CIDR=10.$NETWORK.0.0/17
  SERVICE_CIDR=10.$NETWORK.128.0/20
  KUBERNETES_SERVICE_IP=10.$NETWORK.128.1
  DNS_SERVICE_IP=10.$NETWORK.128.10
  HOST_IP=10.$NETWORK.255.1
  API_IP=10.$NETWORK.255.2
  use_addresses
}

# Those of the node that use_node chose, once the network is known.
use_addresses() {
  [ -n "${NETWORK:-}" ] || return 0
  POD_CIDR=10.$NETWORK.$((NODE * 4)).0/22
  POD_GATEWAY=10.$NETWORK.$((NODE * 4)).1
  # The other end of the node's only link.
  UPSTREAM_IP=10.$NETWORK.255.$((NODE * 4 + 1))
  NODE_IP=10.$NETWORK.255.$((NODE * 4 + 2))
}

# Another route inside the /16 would win over ours; one that covers it (a VPN's 10/8)
# would lose to ours and hide part of that network. Both count as taken.
network_taken() {
  [ -n "$(ip -4 route show table all root "10.$1.0.0/16")" ] ||
    ip -4 route show match "10.$1.0.0/16" | grep -qv '^default'
}

# configure_node RANGE: the inside of the node's link. RANGE: the pods that are here, or
# nowhere.
configure_node() {
  in_node sh -ec "
    ip link set lo up
    ip -4 addr add $NODE_IP/30 dev eth0
    ip link set eth0 up
    ip -4 route add default via $UPSTREAM_IP
    echo 1 >/proc/sys/net/ipv4/ip_forward
    # An address of a pod or a service that is not there is refused at once. Unknown, it
    # would go to the host, which sends it back here.
    ip -4 route add unreachable $1
    iptables -w -A OUTPUT -d $SERVICE_CIDR -j REJECT
    iptables -w -A FORWARD -d $SERVICE_CIDR -j REJECT
  "
}

# The route is the claim: the kernel lets one of two clusters add it, so that no lock
# between checkouts is needed and no claim outlives its interface.
make_network() {
  local n
  ip link add "$VETH" type veth peer name eth0 netns "$INIT"
  ip link set "$VETH" up
  for n in "${NETWORKS[@]}"; do
    network_taken "$n" && continue
    ip -4 route add "10.$n.0.0/16" dev "$VETH" scope link 2>/dev/null || continue
    use_network "$n"
    ip -4 addr add "$HOST_IP/30" dev "$VETH"
    configure_node "$ALL_PODS_CIDR"
    ip -4 route replace "10.$n.0.0/16" via "$NODE_IP" dev "$VETH"
    return 0
  done
  die "no free network: 10.N.0.0/16 is taken for every N from ${NETWORKS[0]} to ${NETWORKS[-1]}"
}

# Is the veth up, and which network did it get?
network_is_ours() {
  local address
  address=$(ip -4 -o addr show dev "$VETH" 2>/dev/null | awk '{ print $4 }')
  [[ $address =~ ^10\.([0-9]+)\.255\.1/30$ ]] || return 1
  use_network "${BASH_REMATCH[1]}"
}

# ---- added nodes -------------------------------------------------------------

# in_first COMMAND...: in the network of node 0, whatever node was chosen.
in_first() {
  nsenter --target "$FIRST_INIT" --net -- "$@"
}

# The link of the chosen node to node 0, which may have had one before.
link_node() {
  in_first ip link delete "$NODE_NAME" 2>/dev/null || true
  in_first ip link add "$NODE_NAME" type veth peer name eth0 netns "$INIT"
  in_first ip -4 addr add "$UPSTREAM_IP/30" dev "$NODE_NAME"
  in_first ip link set "$NODE_NAME" up
  in_first ip -4 route add "$POD_CIDR" via "$NODE_IP" dev "$NODE_NAME"
  configure_node "$POD_CIDR"
}

unlink_node() { in_first ip link delete "$NODE_NAME" 2>/dev/null || true; }

# A dead node does not answer, where the kernel of a namespace that is gone says at once that
# it is: packets to it go to a card that nobody has.
silence_node() {
  unlink_node
  in_first sh -ec "
    ip link add $NODE_NAME type veth peer name $NODE_NAME-lost
    ip link set $NODE_NAME-lost up
    ip -4 addr add $UPSTREAM_IP/30 dev $NODE_NAME
    ip link set $NODE_NAME up
    ip neigh replace $NODE_IP lladdr 02:00:00:00:00:01 nud permanent dev $NODE_NAME
    ip -4 route add $POD_CIDR via $NODE_IP dev $NODE_NAME
  "
}

# cut_node, join_node: take the cable out, put it in again. Nothing is refused meanwhile, and
# connections outlive a short cut.
CUT_CHAINS=(INPUT:-i FORWARD:-i OUTPUT:-o FORWARD:-o)

cut_node() {
  local chain
  join_node
  for chain in "${CUT_CHAINS[@]}"; do
    in_first iptables -w -I "${chain%:*}" "${chain#*:}" "$NODE_NAME" -j DROP
  done
}

join_node() {
  local chain
  for chain in "${CUT_CHAINS[@]}"; do
    while in_first iptables -w -D "${chain%:*}" "${chain#*:}" "$NODE_NAME" -j DROP 2>/dev/null; do
      :
    done
  done
}

node_is_cut() {
  in_first iptables -w -C INPUT -i "$NODE_NAME" -j DROP 2>/dev/null
}
