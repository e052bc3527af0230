// pause is the first process of a PID namespace and does only what such a process
// must: it stays, reaps the orphans that the kernel gives it, and leaves when asked.
// It is both the pod sandbox of the test cluster and the init of the node itself.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// Buffered, so that a child's end between two reads is not lost.
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGCHLD, syscall.SIGINT, syscall.SIGTERM)
	for s := range signals {
		if s != syscall.SIGCHLD {
			return
		}
		// One SIGCHLD may stand for many children.
		for {
			pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if err == syscall.EINTR {
				continue
			}
			if pid <= 0 {
				break
			}
		}
	}
}
