# shellcheck shell=bash
# Images without a registry: made from a folder, imported into containerd.

# A name with a registry host that nothing resolves: were the image ever missing, the
# kubelet's pull fails at once and says which image it was.
PAUSE_IMAGE=registry.gamewarden.test/pause:1

# images_of SOCKET COMMAND...: in the namespace of containerd where the kubelet looks.
images_of() {
  local socket=$1
  shift
  "$BIN/ctr" --address "$socket" --namespace k8s.io images "$@"
}

# import_image OCI_TAR: into the node.
import_image() { images_of "$SOCKET" import "$1"; }

# All that node 0 has, into the node. Through a file: from a pipe that is slow to begin, ctr
# now and then takes nothing ("unrecognized image format").
copy_images() {
  local names file=$NODE_STATE/images.tar
  # By name; by digest they are the same ones once more.
  names=$(images_of "$DIR/containerd.sock" ls --quiet | grep -v '^sha256:\|@sha256:') &&
    # shellcheck disable=SC2086 # one word each
    images_of "$DIR/containerd.sock" export "$file" $names && images_of "$SOCKET" import "$file" &&
    rm "$file"
}

# The sandbox of every pod, from the program that is the node's init as well.
make_pause_image() {
  local root=$STATE/pause-image
  mkdir -p "$root"
  cp "$BIN/pause" "$root/pause"
  chmod 755 "$root/pause"
  "$REPO/tests/images/oci-image" --name "$PAUSE_IMAGE" --root "$root" --out "$STATE/pause.tar" \
    --entrypoint '["/pause"]' --user 65535:65535
}
