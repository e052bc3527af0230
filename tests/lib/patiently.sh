# shellcheck shell=bash
# patiently WHAT COMMAND...: run a command that may take minutes, with a sign of life on stderr
# every ten seconds. Its status is the command's. PATIENT is its process while it runs, for
# traps that have to end it.
PATIENT=''
patiently() {
  local what=$1 began=$SECONDS next=$((SECONDS + 10)) status=0
  shift
  "$@" &
  PATIENT=$!
  while kill -0 "$PATIENT" 2>/dev/null; do
    # Ends with the command or after a second, whichever is first.
    timeout 1 tail --pid="$PATIENT" -f /dev/null || true
    if [ "$SECONDS" -ge "$next" ]; then
      printf '  … %s, %ds\n' "$what" "$((SECONDS - began))" >&2
      next=$((SECONDS + 10))
    fi
  done
  wait "$PATIENT" || status=$?
  PATIENT=''
  return "$status"
}
