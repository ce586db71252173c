//go:build linux && amd64

package tracer

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Stage is the argument by which a program that uses this package is asked to
// call Become.
const Stage = "become-traced"

// watched are the calls that stop.
func watched() []uint32 {
	return []uint32{
		unix.SYS_PWRITE64, unix.SYS_WRITE, unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_IO_SUBMIT, unix.SYS_IO_GETEVENTS,
		unix.SYS_FTRUNCATE, unix.SYS_OPEN, unix.SYS_OPENAT,
		unix.SYS_MKDIR, unix.SYS_MKDIRAT, unix.SYS_UNLINK, unix.SYS_UNLINKAT, unix.SYS_RENAME, unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2,
	}
}

// Become has the calls of this thread stop, and makes the process a program's.
// It returns only in error.
func Become(command []string) error {
	path, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	if err := filter(watched()); err != nil {
		return fmt.Errorf("seccomp: %w", err)
	}
	return syscall.Exec(path, command, os.Environ())
}

// filter sets a seccomp filter: a call that is watched is the tracer's, every
// other goes on.
func filter(calls []uint32) error {
	const (
		load, equal, ret = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	)
	code := []unix.SockFilter{{Code: load, K: 0}} // the number of the call
	for i, nr := range calls {
		code = append(code, unix.SockFilter{Code: equal, Jt: uint8(len(calls) - i), K: nr})
	}
	code = append(code, unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ALLOW}, unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_TRACE})
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	program := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0) //nolint:gosec // the kernel takes it by its address
}
