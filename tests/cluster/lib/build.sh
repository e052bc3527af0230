# shellcheck shell=bash
# The programs of the cluster, from pinned Go modules, into a cache that every checkout
# of this machine shares.

# GROUP: a module under build/. Programs of a group: "name=package".
GROUPS_OF_PROGRAMS=(pause containerd cni kubernetes helm)

# Its major version is part of the path from 2 on.
CONTAINERD_MODULE=github.com/containerd/containerd
case $CONTAINERD_VERSION in 1.*) ;; *) CONTAINERD_MODULE+=/v2 ;; esac

programs_of() {
  case $1 in
    pause) echo pause=. ;;
    containerd)
      local cmd=$CONTAINERD_MODULE/cmd
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
      printf ' -X %s/version.Version=v%s' "$CONTAINERD_MODULE" "$CONTAINERD_VERSION"
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

# ---- another Kubernetes or containerd than the pinned one --------------------------

# chosen GROUP: the module whose version can be chosen, and that version.
chosen() {
  case $1 in
    kubernetes) echo "k8s.io/kubernetes v$K8S_VERSION" ;;
    containerd) echo "$CONTAINERD_MODULE v$CONTAINERD_VERSION" ;;
    *) return 1 ;;
  esac
}

# Is the chosen version another one than build/GROUP pins?
derived() {
  local module version
  read -r module version < <(chosen "$1") &&
    [ "$(pinned "$CLUSTER_SRC/build/$1" "$module")" != "$version" ]
}

# Where the sources of GROUP's module are.
source_of() {
  local module version
  if derived "$1"; then
    read -r module version < <(chosen "$1")
    echo "$CACHE/modules/$1-${version#v}"
  else
    echo "$CLUSTER_SRC/build/$1"
  fi
}

# What the go.mod of GROUP says besides its Go and what is chosen, made of what the chosen version's own go.mod says.
more_of_go_mod() {
  local group=$1 theirs=$2
  case $group in
    kubernetes)
      # Its etcd, and its staging modules (1.36 has others than 1.33), which are published as v0.MINOR.PATCH.
      sed -n 's|^[[:space:]]*\(go.etcd.io/etcd/server/v3 v[^ ]*\).*|require \1|p' "$theirs"
      printf '\nreplace (\n'
      sed -n "s|^[[:space:]]*\(replace \)\?\([^ ]*\) => ./staging/src/.*|\t\2 => \2 v0.${K8S_VERSION#1.}|p" \
        "$theirs"
      echo ')'
      ;;
    containerd)
      # Go heeds these in the main module alone. (What replaces by a folder is no matter here: it is published, too.)
      awk '/^(replace|exclude) / { printf "\n"; on = 1; block = /\($/ }
        on && !/ => \.\.?\// { print }
        on && (!block || /^\)/) { on = 0 }' "$theirs"
      ;;
  esac
}

# A go.mod for the version that is chosen of GROUP. Sums come from Go's checksum database this once.
derive() {
  local group=$1 into=$2 module version theirs
  [ ! -e "$into/go.sum" ] || return 0
  read -r module version < <(chosen "$group")
  rm -rf "$into.new"
  mkdir -p "$into.new"
  cp -r "$CLUSTER_SRC/build/$group/." "$into.new"
  cd "$into.new"
  rm go.mod go.sum
  [ "$group" != containerd ] || sed -i "s|github.com/containerd/containerd/v2/|$CONTAINERD_MODULE/|" tools.go
  # Outside any module, so that only the path is asked for.
  theirs=$(cd / && GO111MODULE=on go_build mod download -json "$module@$version" |
    sed -n 's/^[[:space:]]*"GoMod": "\(.*\)",*$/\1/p')
  [ -r "$theirs" ] || { echo "the module proxy does not serve $module $version" && return 1; }
  {
    echo "module gamewarden.dev/tests/cluster/$group"
    sed -n 's/^go /\n&/p' "$theirs"
    printf '\nrequire %s %s\n' "$module" "$version"
    more_of_go_mod "$group" "$theirs"
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
    [ "$group" != containerd ] || [ "$RUNTIME" = containerd ] || continue
    source=$(source_of "$group")
    if [ ! -e "$source/go.mod" ]; then
      [ -n "${GO:-}" ] || ensure_go
      step "$LOGS/build.log" "resolving ${source##*/}" \
        under_lock "$CACHE/$group.lock" derive "$group" "$source"
    fi
    cached=$(cache_of "$group" "$source")
    for program in $(programs_of "$group"); do
      ensure_program "$group" "$source" "${program%%=*}" "${program#*=}" "$cached"
    done
  done
}
