# shellcheck shell=bash
# Images without a registry: made from a folder, imported into containerd.

# A name with a registry host that nothing resolves: were the image ever missing, the
# kubelet's pull fails at once and says which image it was.
PAUSE_IMAGE=registry.gamewarden.test/pause:1

# import_image OCI_TAR: into the namespace of containerd where the kubelet looks.
import_image() {
  "$BIN/ctr" --address "$DIR/containerd.sock" --namespace k8s.io images import "$1"
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
