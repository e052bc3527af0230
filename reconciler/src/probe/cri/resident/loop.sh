# Runs commands in a container, one after the other, as often as they are asked for.
#
#   stdin -> reader -> runner -> stdout, stderr
#
# The runner starts a command and waits for it, so it cannot listen meanwhile. The reader can: at the line `k`, and
# at the end of stdin, it kills the command that runs and all that it has started; every other line is shell code for
# the runner. When a command ended, both streams get a line with the mark (the first line of stdin) and the exit
# code; a mark without a code says that the runner ends (it could not fork, say). So nothing is written to files, and
# a daemon that keeps the streams open does not keep the answer. While there is one no other command is run: it may
# print into the next one's output, and would be killed with it. `left` instead of a code says so.
#
# POSIX shell, and of programs none: dash, bash and busybox all have what it calls built in. What it sets begins with
# __gw_, as a variable that the container's environment has too would change there. These lines are left out when it
# is sent.

__gw_n='
' __gw_b='\'
unset OLDPWD SHLVL

# Of a process: its state, parent and session.
__gw_stat() {
  { IFS= read -r __gw_s </proc/"$1"/stat; } 2>/dev/null || return 1
  set -- ${__gw_s##*) }
  __gw_z=$1 __gw_p=$2 __gw_g=$4
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

# The runner, looked up while the shell lives that has started it and us: the runtime kills that first when nobody listens
# any more.
__gw_runner() {
  [ "$__gw_r" ] || { __gw_child $$ "$__gw_w" && __gw_r=$__gw_k; }
}

__gw_runs() {
  __gw_stat "$__gw_r" && [ "$__gw_g" = $$ ] && [ "$__gw_z" != Z ]
}

# The command first: that ends it for the runner. Then whatever else is in our session (the runtime makes one for each
# exec): nothing was when it was started. What runs no more has left its daemons on purpose; where somebody has killed the
# runner, nobody knows. What is killed may need a moment to be gone, in which it is looked at so often.
__gw_kill() {
  __gw_k=
  # (It may be gone by the time that its children are looked up.)
  if __gw_runs && { __gw_child "$__gw_r" "" || __gw_runs; }; then
    [ "$__gw_k" ] || return 1
    kill -9 "$__gw_k"
  elif [ ! "$__gw_r" ]; then
    return 1
  fi
  __gw_i=0
  while [ $__gw_i -lt "$1" ]; do
    __gw_f=
    for __gw_d in /proc/[0-9]*; do
      __gw_d=${__gw_d#/proc/}
      case $__gw_d in $$ | "$__gw_w" | "$__gw_r") continue ;; esac
      __gw_stat "$__gw_d" && [ "$__gw_g" = $$ ] && [ "$__gw_z" != Z ] || continue
      kill -9 "$__gw_d" && __gw_f=1
    done
    [ "$__gw_f" ] || return 0
    __gw_i=$((__gw_i + 1))
  done
}

# Whether an earlier command has left something behind: in our session, or with our stdout or stderr in its hands. Looked
# at is what was not there before the last command; mostly that is nothing.
__gw_left() {
  set -- /proc/[0-9]*
  __gw_o=$__gw_q __gw_q="$* "
  case $__gw_o in '' | "$__gw_q") return 1 ;; esac
  for __gw_d; do
    case $__gw_o in *"$__gw_d "*) continue ;; esac
    __gw_d=${__gw_d#/proc/}
    __gw_stat "$__gw_d" && [ "$__gw_z" != Z ] || continue
    [ "$__gw_g" = $$ ] && return
    for __gw_e in 1 2; do
      [ /proc/"$__gw_d"/fd/$__gw_e -ef /proc/self/fd/1 ] && return
      [ /proc/"$__gw_d"/fd/$__gw_e -ef /proc/self/fd/3 ] && return
    done
  done
  return 1
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

# Whether the working directory is another now: somebody has put a new one in its place.
__gw_moved() {
  [ "$__gw_h" ] && ! [ . -ef "$__gw_h" ]
}

__gw_run() {
  __gw_c=left
  __gw_moved || __gw_left || {
    ("$1") </dev/null 2>&3 3>&-
    __gw_c=$?
  }
  echo "$__gw_n$__gw_m $__gw_c"
  echo "$__gw_n$__gw_m $__gw_c" >&3
}

{
  exec 2>/dev/null
  read -r __gw_w __gw_s </proc/self/stat
  # Where /proc is another namespace's, its numbers are other people's here.
  __gw_stat "$__gw_w" && [ "$__gw_p" = $$ ] && [ "$__gw_g" = $$ ] || exit
  while IFS= read -r __gw_l; do
    __gw_runner
    case $__gw_l in
    k) __gw_kill 30 ;;
    *) echo "$__gw_l" ;;
    esac
  done
  __gw_runner
  __gw_kill 9
  # The runner may be about to start what it was told last, so it is watched until it is gone. From now on it ends by itself:
  # that is no reason to kill what its commands have left behind. (Not for ever: what the system cannot kill now dies when
  # it can. Nor does it wait here for somebody who reads what it says.)
  exec >&-
  __gw_x=0 __gw_y=0
  while [ $__gw_x -lt 5000 ] && [ $__gw_y -lt 20 ] && __gw_runs; do
    __gw_child "$__gw_r" "" && __gw_kill 9 && __gw_y=$((__gw_y + 1))
    __gw_x=$((__gw_x + 1))
  done
  __gw_runs && kill -9 "$__gw_r"
} | {
  exec 3>&2 2>/dev/null
  __gw_h=
  [ . -ef "$PWD" ] && __gw_h=$PWD
  IFS= read -r __gw_m
  trap 'echo "$__gw_n$__gw_m "' EXIT
  while IFS= read -r __gw_l; do eval "$__gw_l"; done
}
