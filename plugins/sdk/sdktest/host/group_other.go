//go:build !unix

package host

import "os/exec"

func ownGroup(*exec.Cmd) {}

// KillGroup ends the engine, and what it started and left in its group.
func KillGroup(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = cmd.Process.Kill()
	}
}
