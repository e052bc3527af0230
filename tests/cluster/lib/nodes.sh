# shellcheck shell=bash
# Which node a script is about. Node 0 is the first: it has the control plane, and comes and
# goes with the cluster. The others are added and removed one by one.
#
# All that lib/ says about "the node" is about the one that use_node chose.

# use_node NUMBER: its name, what the kernel holds for it, and its folders. Its addresses
# follow from the number and from the network of the cluster; see network.sh.
use_node() {
  NODE=$1
  NODE_NAME=node-$NODE
  INIT=
  if [ "$NODE" = 0 ]; then
    CGROUP=gamewarden-$ID
    NODE_STATE=$STATE/node
    NODE_LOGS=$LOGS
    SOCKET=$DIR/containerd.sock
  else
    CGROUP=gamewarden-$ID-$NODE
    NODE_STATE=$STATE/node-$NODE
    NODE_LOGS=$LOGS/node-$NODE
    # A short name: the path of a unix socket has room for 107 bytes.
    SOCKET=$DIR/node-$NODE.sock
  fi
  CONF=$NODE_STATE/conf
  use_addresses
}

# As far as addresses and names have room.
MAX_NODE=31

# node_number TEXT: "1" and "node-1" are both node 1.
node_number() {
  local number=${1#node-}
  [[ $number =~ ^[1-9][0-9]?$ ]] && [ "$number" -le "$MAX_NODE" ] ||
    die "$1 is no node that can be added: they are node-1 to node-$MAX_NODE (node-0 comes with up)"
  echo "$number"
}

# Numbers of all added nodes of which the kernel or the disk holds anything.
added_nodes() {
  local top path
  {
    for top in $(cgroup_hierarchies); do
      printf '%s\n' "$top/gamewarden-$ID"-*
    done
    printf '%s\n' "$STATE"/node-*
  } | while read -r path; do
    [ -d "$path" ] && [[ $path =~ -([0-9]+)$ ]] && echo "${BASH_REMATCH[1]}"
  done | sort -un
}

use_node 0
