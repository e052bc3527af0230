//go:build tools

// Package cni pins the CNI plugins of the test cluster: ptp wires pods, host-local
// hands out addresses, portmap serves hostPort, loopback brings lo up.
package cni

import (
	_ "github.com/containernetworking/plugins/plugins/ipam/host-local"
	_ "github.com/containernetworking/plugins/plugins/main/loopback"
	_ "github.com/containernetworking/plugins/plugins/main/ptp"
	_ "github.com/containernetworking/plugins/plugins/meta/portmap"
)
