//go:build unix

package process

import (
	"errors"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// openFlags: a FIFO must not make the open wait for a writer.
const openFlags = syscall.O_NONBLOCK

// lockFile holds a lock that ends with this process, however it ends.
func lockFile(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.New("another gateway uses it")
		}
		return nil, err
	}
	return file, nil
}

// pipeAbove is a pipe whose writing end has a higher number than a program's
// descriptor. Before it executes the program by that number, a child that Go has
// forked may put something else at one of the numbers above the highest that it
// was given: that must not be the program's.
func pipeAbove(b *Binary) (r, w *os.File, err error) {
	r, w, err = os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer w.Close()
	fd, err := unix.FcntlInt(w.Fd(), unix.F_DUPFD_CLOEXEC, int(b.file.Fd())+1)
	if err != nil {
		_ = r.Close()
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	return r, os.NewFile(uintptr(fd), w.Name()), nil
}

// errNotProgram is what exec says about a file that it does not understand.
const errNotProgram = syscall.ENOEXEC

// errBusy is what exec says about a file that is open for writing.
const errBusy = syscall.ETXTBSY

const machine = runtime.GOOS + "/" + runtime.GOARCH

// signalGroup kills the process and all that it started and left in its group.
func (p *Process) signalGroup() { _ = syscall.Kill(-p.pid, syscall.SIGKILL) }
