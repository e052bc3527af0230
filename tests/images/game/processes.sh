# shellcheck shell=bash
# alive NAME: does the process that wrote /run/game/NAME.pid still run under that name?
# `why` says what is wrong if not. Reads /proc, starts nothing.
alive() {
  local pid stat state
  why="$1 was never started"
  { read -r pid <"/run/game/$1.pid"; } 2>/dev/null || return 1
  why="$1 (pid $pid) is gone"
  { read -r stat <"/proc/$pid/stat"; } 2>/dev/null || return 1
  # The number may belong to another process by now.
  [[ $stat == "$pid ($1) "* ]] || return 1
  state=${stat#*") "}
  case ${state:0:1} in
    Z | X) return 1 ;;
    T | t) why="$1 (pid $pid) is stopped" && return 1 ;;
  esac
}
