# shellcheck shell=bash
# The programs of the cluster, from pinned Go modules, into a cache that every checkout
# of this machine shares.

# GROUP: a module under build/. Programs of a group: "name=package".
GROUPS_OF_PROGRAMS=(pause containerd cni kubernetes helm)

programs_of() {
  case $1 in
    pause) echo pause=. ;;
    containerd)
      local cmd=github.com/containerd/containerd/v2/cmd
      echo "containerd=$cmd/containerd containerd-shim-runc-v2=$cmd/containerd-shim-runc-v2" \
        "ctr=$cmd/ctr"
      ;;
    cni)
      local plugins=github.com/containernetworking/plugins/plugins
      echo "cni/host-local=$plugins/ipam/host-local cni/loopback=$plugins/main/loopback" \
        "cni/portmap=$plugins/meta/portmap cni/ptp=$plugins/main/ptp"
      ;;
    kubernetes)
      local name
      echo etcd=./etcd
      # The big one first: the others then find most of their packages compiled.
      for name in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy \
        kubectl; do
        echo "$name=k8s.io/kubernetes/cmd/$name"
      done
      ;;
    helm) echo helm=helm.sh/helm/v4/cmd/helm ;;
  esac
}

# pinned GROUP MODULE: the version that go.mod requires.
pinned() { sed -n "s|^\(require \)\?[[:space:]]*$2 \(v[^ ]*\).*|\2|p" "$1/go.mod" | head -n 1; }

# Without these stamps the servers call themselves v0.0.0 and clients believe them.
link_flags() {
  local group=$1 source=$2 minor
  printf '%s' '-s -w'
  case $group in
    kubernetes)
      minor=${K8S_VERSION#*.}
      printf ' -X k8s.io/component-base/version.%s' "gitVersion=v$K8S_VERSION" \
        "gitMajor=${K8S_VERSION%%.*}" "gitMinor=${minor%%.*}" gitTreeState=clean
      ;;
    containerd)
      printf ' -X github.com/containerd/containerd/v2/version.Version=%s' \
        "$(pinned "$source" github.com/containerd/containerd/v2)"
      ;;
    helm)
      printf ' -X helm.sh/helm/v4/internal/version.version=%s' \
        "$(pinned "$source" helm.sh/helm/v4)"
      ;;
  esac
}

# Drivers that need C or kernel modules of their own, and that no test uses.
build_tags() {
  [ "$1" != containerd ] || echo no_btrfs,no_zfs,no_devmapper
}

go_build() {
  # The machine's own Go settings must not change what is built: GOFLAGS may hold -mod=mod,
  # GOTOOLCHAIN may fetch another compiler, a go.work may replace modules.
  env -u GOROOT -u GOAMD64 -u GOEXPERIMENT GOTOOLCHAIN=local GOFLAGS=-buildvcs=false GOWORK=off \
    GOOS=linux GOARCH=amd64 CGO_ENABLED=0 "$GO" "$@"
}

# under_lock FILE COMMAND...: one at a time on this machine.
under_lock() {
  local file=$1 fd
  shift
  mkdir -p "$(dirname "$file")"
  exec {fd}>"$file"
  flock "$fd"
  "$@"
  exec {fd}>&-
}

# ---- another Kubernetes version than the pinned one ------------------------------

# Is K8S_VERSION another one than build/kubernetes pins?
derived() {
  [ "$(pinned "$CLUSTER_SRC/build/kubernetes" k8s.io/kubernetes)" != "v$K8S_VERSION" ]
}

DERIVED_SOURCE=$CACHE/modules/kubernetes-$K8S_VERSION

# Where the sources of GROUP's module are.
source_of() {
  if [ "$1" = kubernetes ] && derived; then
    echo "$DERIVED_SOURCE"
  else
    echo "$CLUSTER_SRC/build/$1"
  fi
}

# A go.mod for K8S_VERSION, made of what that version's own go.mod says: its Go, its etcd, and
# its staging modules (1.36 has others than 1.33), which are published as v0.MINOR.PATCH.
# Sums come from Go's checksum database this once.
derive_kubernetes() {
  local from=$CLUSTER_SRC/build/kubernetes into=$1 theirs
  [ ! -e "$into/go.sum" ] || return 0
  rm -rf "$into.new"
  mkdir -p "$into.new"
  cp -r "$from/." "$into.new"
  cd "$into.new"
  rm go.mod go.sum
  # Outside any module, so that only the path is asked for.
  theirs=$(cd / && GO111MODULE=on go_build mod download -json "k8s.io/kubernetes@v$K8S_VERSION" |
    sed -n 's/^[[:space:]]*"GoMod": "\(.*\)",*$/\1/p')
  [ -r "$theirs" ] || { echo "the module proxy does not serve k8s.io/kubernetes v$K8S_VERSION" && return 1; }
  {
    echo 'module gamewarden.dev/tests/cluster/kubernetes'
    sed -n 's/^go /\n&/p' "$theirs"
    sed -n 's|^[[:space:]]*\(go.etcd.io/etcd/server/v3 v[^ ]*\).*|\nrequire \1|p' "$theirs"
    printf 'require k8s.io/kubernetes v%s\n\nreplace (\n' "$K8S_VERSION"
    sed -n "s|^[[:space:]]*\(replace \)\?\([^ ]*\) => ./staging/src/.*|\t\2 => \2 v0.${K8S_VERSION#1.}|p" \
      "$theirs"
    echo ')'
  } >go.mod
  go_build mod tidy
  rm -rf "$into"
  mv -T "$into.new" "$into"
}

# ---- building ----------------------------------------------------------------------

# The folder of finished programs of GROUP. Its name holds a digest of all that decides
# what comes out, so that a finished program there is never the wrong one.
cache_of() {
  local group=$1 source=$2 key
  key=$(
    {
      # (The flags below say which Kubernetes: the other groups are the same for each.)
      echo "2 $(programs_of "$group" | tr '\n' ' ')"
      link_flags "$group" "$source"
      build_tags "$group"
      cd "$source"
      find . -type f \( -name '*.go' -o -name 'go.*' \) | sort | xargs sha256sum
    } | sha256sum | cut -c1-16
  )
  echo "$CACHE/$group-$key"
}

build_program() {
  local group=$1 source=$2 package=$3 out=$4
  # Another checkout may have built it while we waited for the lock.
  [ ! -x "$out" ] || return 0
  mkdir -p "$(dirname "$out")"
  cd "$source"
  # -mod=readonly: what go.sum does not vouch for is not built.
  go_build build -mod=readonly -trimpath -buildvcs=false -tags "$(build_tags "$group")" \
    -ldflags "$(link_flags "$group" "$source")" -o "$out.new" "$package"
  mv "$out.new" "$out"
}

ensure_program() {
  local group=$1 source=$2 name=$3 package=$4 cached=$5
  if [ ! -x "$cached/$name" ]; then
    [ -n "${GO:-}" ] || ensure_go
    step "$LOGS/build.log" "building ${name##*/}" under_lock "$CACHE/$group.lock" \
      build_program "$group" "$source" "$package" "$cached/$name"
  fi
  # A hard link costs no space; the cache may be on another disk, though.
  if [ ! "$BIN/$name" -ef "$cached/$name" ] &&
    ! { [ ! -h "$BIN/$name" ] && cmp -s "$BIN/$name" "$cached/$name"; }; then
    mkdir -p "$(dirname "$BIN/$name")"
    ln -f "$cached/$name" "$BIN/$name.new" 2>/dev/null || cp "$cached/$name" "$BIN/$name.new"
    mv -f "$BIN/$name.new" "$BIN/$name"
  fi
}

ensure_programs() {
  local group source cached program
  for group in "${GROUPS_OF_PROGRAMS[@]}"; do
    source=$(source_of "$group")
    if [ ! -e "$source/go.mod" ]; then
      [ -n "${GO:-}" ] || ensure_go
      step "$LOGS/build.log" "resolving Kubernetes $K8S_VERSION" \
        under_lock "$CACHE/$group.lock" derive_kubernetes "$source"
    fi
    cached=$(cache_of "$group" "$source")
    for program in $(programs_of "$group"); do
      ensure_program "$group" "$source" "${program%%=*}" "${program#*=}" "$cached"
    done
  done
}
