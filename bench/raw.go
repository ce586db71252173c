//go:build linux

package main

import (
	"syscall"
	"unsafe"
)

// System calls of the generator's loops, made without telling Go's scheduler,
// which would take the processor away from a loop at each wait and have it
// queue for one afterwards. So a loop keeps its processor while it waits, and
// the program needs more of them than it has loops.

func rawRead(fd int, into []byte) (int, error) {
	return count(syscall.RawSyscall(syscall.SYS_READ, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(into))), uintptr(len(into)))) //nolint:gosec // that is how to call the kernel
}

func rawWrite(fd int, text []byte) (int, error) {
	return count(syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(text))), uintptr(len(text)))) //nolint:gosec // that is how to call the kernel
}

// rawEpollWait is epoll_pwait(2) without a mask: not every architecture has
// epoll_wait. It waits at most so many milliseconds.
func rawEpollWait(fd int, events []syscall.EpollEvent, milliseconds int) (int, error) {
	return count(syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), //nolint:gosec // that is how to call the kernel
		uintptr(milliseconds), 0, 0))
}

func count(n, _ uintptr, errno syscall.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
