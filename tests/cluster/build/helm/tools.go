//go:build tools

// Package helm pins the helm that installs charts into the test cluster.
package helm

import (
	_ "helm.sh/helm/v4/cmd/helm"
)
