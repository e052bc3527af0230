# shellcheck shell=bash
# What the machine itself must have. Missing Debian packages are installed; nothing is
# upgraded, configured or removed, and no service is started.

# A command that we run, and the package that has it.
DEPENDENCIES=(
  ip:iproute2
  iptables:iptables
  unshare:util-linux
  flock:util-linux
  mount:mount
  openssl:openssl
  python3:python3
  runc:runc
  find:findutils
  awk:mawk
  update-ca-certificates:ca-certificates
)

apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  local install=(apt-get install -y -q --no-install-recommends --no-upgrade
    -o DPkg::Lock::Timeout=600 "$@")
  # The lists may be absent or too old to name packages that still exist.
  "${install[@]}" || {
    apt-get update -q -o DPkg::Lock::Timeout=600
    "${install[@]}"
  }
}

ensure_packages() {
  local pair missing=()
  for pair in "${DEPENDENCIES[@]}"; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  command -v apt-get >/dev/null ||
    die "missing: ${missing[*]} (Debian's names). There is no apt-get here to install them"
  step "$LOGS/deps.log" "installing ${missing[*]}" apt_install "${missing[@]}"
}

# ---- Go ----------------------------------------------------------------------

# go_of PATH: the version of a go command, "" if it is none.
go_of() { GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null | sed 's/^go//'; }

# at_least HAVE WANT
at_least() {
  [ -n "$1" ] && [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

# The highest `go` line among our modules. What another Kubernetes or containerd asks for is not known
# before it is resolved: GO_VERSION then, which is chosen to build any.
go_needed() {
  local group source mods=()
  for group in "${GROUPS_OF_PROGRAMS[@]}"; do
    source=$(source_of "$group")
    [ -e "$source/go.mod" ] || { echo "$GO_VERSION" && return; }
    mods+=("$source/go.mod")
  done
  sed -n 's/^go //p' "${mods[@]}" | sort -V | tail -n 1
}

any_go() {
  local go
  for go in "$(command -v go || true)" /usr/local/go/bin/go /usr/lib/go/bin/go \
    /usr/lib/go-*/bin/go; do
    [ ! -x "$go" ] || echo "$go"
  done
}

# Go publishes its own toolchains as modules, checked against the checksum database like
# any module: one needs no download site besides the module proxy that the build uses.
fetch_toolchain() {
  local go=$1 into=$2 module=golang.org/toolchain@v0.0.1-go$GO_VERSION.linux-amd64 unpacked
  # Another checkout may have fetched it while we waited for the lock.
  [ ! -x "$into/bin/go" ] || return 0
  rm -rf "$into.new" "$into"
  mkdir -p "$into.new"
  # Outside any module, so that no go.mod stands in the way of an old go.
  cd "$into.new"
  # A module cache for this once: 200 MB that nobody would look for in their own.
  unpacked=$(env -u GOROOT GOTOOLCHAIN=local GOFLAGS=-modcacherw GO111MODULE=on GOWORK=off \
    GOMODCACHE="$into.new" "$go" mod download -json "$module" |
    sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p')
  # Module archives do not keep the executable bit.
  chmod +x "$unpacked"/bin/* "$unpacked"/pkg/tool/*/*
  mv -T "$unpacked" "$into"
  rm -rf "$into.new"
}

# Sets GO to a go that can build everything here.
ensure_go() {
  local needed candidate cached=$CACHE/go-$GO_VERSION
  needed=$(go_needed)
  at_least "$GO_VERSION" "$needed" ||
    die "GO_VERSION $GO_VERSION in versions.env is older than $needed, which go.mod asks for"
  while read -r candidate; do
    if at_least "$(go_of "$candidate")" "$needed"; then
      GO=$candidate
      return 0
    fi
  done < <(any_go; echo "$cached/bin/go")
  if [ -z "$(any_go)" ]; then
    step "$LOGS/deps.log" "installing golang-go, to fetch Go $GO_VERSION with it" \
      apt_install golang-go
  fi
  candidate=$(any_go | head -n 1)
  step "$LOGS/deps.log" "fetching Go $GO_VERSION" \
    under_lock "$CACHE/go.lock" fetch_toolchain "$candidate" "$cached"
  GO=$cached/bin/go
  at_least "$(go_of "$GO")" "$needed" || die "the Go that was fetched to $GO does not run"
}
