package main

import "syscall"

// attributes put a program into a group of its own, which is killed with the
// engine: nothing may go on when nobody is left to record how it ended.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
