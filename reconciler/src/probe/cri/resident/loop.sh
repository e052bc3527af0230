# Runs commands in a container, one after the other, as often as they are asked for.
#
#   stdin -> reader -> runner -> stdout, stderr
#
# The runner starts a command and waits for it, so it cannot listen meanwhile. The reader can: at the line `k`, and
# at the end of stdin, it kills the command that runs and all that it has started; every other line is shell code for
# the runner. When a command ended, both streams get a line with the mark (the first line of stdin) and the exit
# code; a mark without a code says that the runner ends (it could not fork, say). So nothing is written to files, and
# a daemon that keeps the streams open does not keep the answer.
#
# POSIX shell, and of programs none: dash, bash and busybox all have what it calls built in. What it sets begins with
# __gw_, as a variable that the container's environment has too would change there. These lines are left out when it
# is sent.

__gw_n='
' __gw_b='\'
unset OLDPWD SHLVL

# Of a process: its state, parent, session and start.
__gw_stat() {
  { IFS= read -r __gw_s </proc/"$1"/stat; } 2>/dev/null || return 1
  set -- ${__gw_s##*) }
  __gw_z=$1 __gw_p=$2 __gw_g=$4 __gw_t=${20}
}

# The child of a process, other than this one.
__gw_child() {
  __gw_k= __gw_s=
  if [ -e /proc/"$1"/task/"$1"/children ]; then
    IFS= read -r __gw_s </proc/"$1"/task/"$1"/children
    for __gw_d in $__gw_s; do [ "$__gw_d" = "$2" ] || __gw_k=$__gw_d; done
  else
    for __gw_d in /proc/[0-9]*; do
      __gw_d=${__gw_d#/proc/}
      __gw_stat "$__gw_d" && [ "$__gw_p" = "$1" ] && [ "$__gw_d" != "$2" ] && __gw_k=$__gw_d
    done
  fi
  [ "$__gw_k" ]
}

# The command first: that ends it for the runner. What it has left behind is in our session (the runtime makes one for
# each exec) and was started after it; a daemon of an earlier command was started before, and stays.
__gw_kill() {
  read -r __gw_w __gw_s </proc/self/stat
  __gw_child $$ "$__gw_w" || return
  __gw_r=$__gw_k
  __gw_child "$__gw_r" "" && __gw_stat "$__gw_k" || return
  __gw_j=$__gw_k __gw_a=$__gw_t
  kill -9 "$__gw_j"
  for __gw_i in 1 2 3 4 5 6 7 8 9; do
    __gw_f=
    for __gw_d in /proc/[0-9]*; do
      __gw_d=${__gw_d#/proc/}
      case $__gw_d in $$ | "$__gw_w" | "$__gw_r") continue ;; esac
      __gw_stat "$__gw_d" && [ "$__gw_g" = $$ ] && [ "$__gw_z" != Z ] || continue
      [ "$__gw_t" -gt "$__gw_a" ] || { [ "$__gw_t" -eq "$__gw_a" ] && [ "$__gw_d" -gt "$__gw_j" ]; } || continue
      kill -9 "$__gw_d" && __gw_f=1
    done
    [ "$__gw_f" ] || return
  done
}

# Whether the system can start the program: exec of a shell would read what has no #! as a script of its own.
__gw_may() {
  __gw_e=$1
  case $1 in
  */*) ;;
  *)
    IFS=:
    for __gw_d in $PATH; do
      __gw_e=${__gw_d:-.}/$1
      [ -f "$__gw_e" ] && [ -x "$__gw_e" ] && break
    done
    unset IFS
    ;;
  esac
  [ -e "$__gw_e" ] || return 0
  __gw_s=
  IFS= read -r __gw_s <"$__gw_e"
  case $__gw_s in '#!'* | ?ELF*) return 0 ;; esac
  return 1
}

__gw_run() {
  ("$1") </dev/null 2>&3 3>&-
  __gw_c=$?
  echo "$__gw_n$__gw_m $__gw_c"
  echo "$__gw_n$__gw_m $__gw_c" >&3
}

{
  exec 2>/dev/null
  while IFS= read -r __gw_l; do
    case $__gw_l in
    k) __gw_kill ;;
    *) echo "$__gw_l" ;;
    esac
  done
  __gw_kill
} | {
  exec 3>&2 2>/dev/null
  IFS= read -r __gw_m
  trap 'echo "$__gw_n$__gw_m "' EXIT
  while IFS= read -r __gw_l; do eval "$__gw_l"; done
}
