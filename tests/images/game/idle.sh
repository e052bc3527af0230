#!/bin/bash
# Is this server idle? Exit 0: nobody plays; 1: somebody does, or it cannot be told.
#
# A player is an established connection to the game port, as the kernel's table has it.
# Probes run this every few seconds: it reads files and starts no process.
set -u
printf -v port '%04X' "${GAME_PORT:-25565}"

# slot, local address:port, remote address:port, state (01 established, 0A listening)
row="^ *[0-9]+: [0-9A-F]+:$port [0-9A-F]+:[0-9A-F]+ (01|0A) "

# The game has one listener, and all its connections are in the table of its family (an IPv6
# one takes IPv4 players, too). The kernel walks all its sockets for either: read no more than
# needed.
players=0 open=
for table in /proc/net/tcp6 /proc/net/tcp; do
  [ -z "$open" ] && [ -r "$table" ] || continue
  mapfile -t lines <"$table"
  for line in "${lines[@]}"; do
    [[ $line =~ $row ]] || continue
    case ${BASH_REMATCH[1]} in
      01) players=$((players + 1)) ;;
      0A) open=1 ;;
    esac
  done
done

# A server that nobody can enter yet has no players to tell of.
if [ -z "$open" ]; then
  echo "the game port is not open" >&2
  exit 1
fi
if [ "$players" -eq 1 ]; then echo "1 player"; else echo "$players players"; fi
[ "$players" -eq 0 ]
