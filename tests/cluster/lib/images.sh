# shellcheck shell=bash
# Images without a registry: made from a folder, imported into the container runtime.

# A name with a registry host that nothing resolves: were the image ever missing, the
# kubelet's pull fails at once and says which image it was.
PAUSE_IMAGE=registry.gamewarden.test/pause:1

# import_image OCI_TAR: into the node.
import_image() { "${RUNTIME}_import" "$1"; }

# image_in OCI_TAR name|digest: of the only one in there.
image_in() {
  tar -xOf "$1" index.json | python3 -c 'import json, sys
[image] = json.load(sys.stdin)["manifests"]
print({"name": image["annotations"]["io.containerd.image.name"], "digest": image["digest"]}[sys.argv[1]])' "$2"
}

# has_image NAME DIGEST
has_image() { [ "$("${RUNTIME}_digest" "$1" 2>/dev/null)" = "$2" ]; }

# All that node 0 has, into the node.
copy_images() { "${RUNTIME}_copy_images" "$NODE_STATE/images.tar"; }

# The sandbox of every pod, from the program that is the node's init as well.
make_pause_image() {
  local root=$STATE/pause-image
  mkdir -p "$root"
  cp "$BIN/pause" "$root/pause"
  chmod 755 "$root/pause"
  "$REPO/tests/images/oci-image" --name "$PAUSE_IMAGE" --root "$root" --out "$STATE/pause.tar" \
    --entrypoint '["/pause"]' --user 65535:65535
}
