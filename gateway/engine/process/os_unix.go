//go:build unix

package process

import (
	"errors"
	"os"
	"runtime"
	"syscall"
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

// errNotProgram is what exec says about a file that it does not understand.
const errNotProgram = syscall.ENOEXEC

// errBusy is what exec says about a file that is open for writing.
const errBusy = syscall.ETXTBSY

const machine = runtime.GOOS + "/" + runtime.GOARCH

// signalGroup kills the process and all that it started and left in its group.
func (p *Process) signalGroup() { _ = syscall.Kill(-p.pid, syscall.SIGKILL) }
