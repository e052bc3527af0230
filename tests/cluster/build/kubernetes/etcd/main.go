// etcd's own main package lives in a module whose go.mod has replace
// directives, which a dependent cannot build; its whole body is this call.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
