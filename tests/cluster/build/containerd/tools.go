//go:build tools

// Package containerd pins the container runtime of the test cluster. It is built here
// because Debian's containerd package would replace the containerd.io of Docker CE.
package containerd

import (
	_ "github.com/containerd/containerd/v2/cmd/containerd"
	_ "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2"
	_ "github.com/containerd/containerd/v2/cmd/ctr"
)
