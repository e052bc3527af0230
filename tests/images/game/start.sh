#!/bin/bash
# PID 1 of the game container: starts its processes and takes in their orphans.
#
# The processes are of unequal weight. Without the game port there is no game: when it
# goes, the container ends and is restarted. Without the chat relay only the chat is
# silent: the server is ill, its players go on playing, and nothing is restarted here.
set -u
port=${GAME_PORT:-25565}

# With PID 1 the kernel ends all the others.
trap 'echo "start.sh: stopping"; exit 0' TERM INT

./chat-relay &

# One child per player, each with its connection as standard input and output.
nc -ll -p "$port" -e ./player &
game=$!
echo "start.sh: the game is open on port $port"

# A bash that waits reaps whatever dies, adopted children included.
while kill -0 "$game" 2>/dev/null; do
  wait "$game"
done
echo "start.sh: the game port is gone, nothing left to run for"
exit 1
