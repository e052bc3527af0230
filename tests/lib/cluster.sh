# shellcheck shell=bash
# Which cluster a script works on: the checkout's own test cluster, or, with CLUSTER=existing and
# never otherwise, that of the caller's current kubectl context.
#
# Sourced with `repo` set. Gives `cluster`, the folder of all that is made, the commands kubectl and
# helm, and KUBECTL, the same for where a function will not do.

cluster=$(realpath -m "${GAMEWARDEN_CLUSTER_DIR:-$repo/.cluster}")

# Where the tests install, and what says that it was they who did.
namespace=gamewarden-system
owner_label=gamewarden.dev/installed-by=tests

existing() { [ "${CLUSTER:-}" = existing ]; }

case ${CLUSTER:-} in
  '')
    export KUBECONFIG=$cluster/kubeconfig PATH=$cluster/bin:$PATH
    unset GAMEWARDEN_CONTEXT
    KUBECTL=(kubectl)
    ;;
  existing)
    # Last in the path: the caller's programs first, if they have them.
    PATH=$PATH:$cluster/bin
    for program in kubectl helm; do
      command -v "$program" >/dev/null || {
        echo "CLUSTER=existing needs $program in the PATH" >&2
        exit 1
      }
    done
    # Asked once and then named in every command: a `kubectl config use-context` elsewhere must
    # not lead half of a run into another cluster. (make has asked already.)
    [ -n "${GAMEWARDEN_CONTEXT:-}" ] || GAMEWARDEN_CONTEXT=$(command kubectl config current-context) || {
      echo "CLUSTER=existing, but kubectl has no current context" >&2
      exit 1
    }
    export GAMEWARDEN_CONTEXT
    KUBECTL=(kubectl --context "$GAMEWARDEN_CONTEXT")
    kubectl() { command "${KUBECTL[@]}" "$@"; }
    helm() { command helm --kube-context "$GAMEWARDEN_CONTEXT" "$@"; }
    ;;
  *)
    echo "CLUSTER is $CLUSTER; it can be \`existing\`, for the current kubectl context, or be left unset" >&2
    exit 1
    ;;
esac
