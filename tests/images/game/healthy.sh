#!/bin/bash
# Is this server well? Exit 0: all its helper processes run; 1: it says which does not.
set -u
. ./processes.sh

if ! alive chat-relay; then
  echo "$why"
  exit 1
fi
echo "healthy"
