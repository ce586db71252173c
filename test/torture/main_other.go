//go:build !(linux && amd64)

// Command torture needs Linux on amd64.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "torture: faults are put into system calls, which is written for Linux on amd64 alone")
	os.Exit(1)
}
