package journal

import (
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// aio is the kernel's asynchronous I/O, for one sync at a time; see io_submit(2).
type aio struct {
	mu      sync.Mutex
	context uintptr
	// done counts what has ended. It is an eventfd(2): no thread waits for it.
	done  *os.File
	call  *iocb
	event ioEvent
}

// iocb is the kernel's. What has no name here is zero.
type iocb struct {
	_        uint64
	_, _     uint32
	opcode   uint16
	_        int16
	fd       uint32
	_, _, _  uint64
	_        uint64
	flags    uint32
	signalTo uint32 // an eventfd
}

// ioEvent is the kernel's io_event.
type ioEvent struct {
	_, _   uint64
	result int64
	_      int64
}

const (
	opDataSync = 3 // IOCB_CMD_FDSYNC
	flagSignal = 1 // IOCB_FLAG_RESFD
)

// beside is nil where there is none, or the process may not use it.
var beside = sync.OnceValue(func() *aio {
	a := &aio{}
	if _, _, no := unix.Syscall(unix.SYS_IO_SETUP, 1, uintptr(unsafe.Pointer(&a.context)), 0); no != 0 { //nolint:gosec // the kernel takes it by its address
		return nil
	}
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil
	}
	a.done = os.NewFile(uintptr(fd), "eventfd")
	a.call = &iocb{opcode: opDataSync, flags: flagSignal, signalTo: uint32(fd)}
	return a
})

// dataSync syncs a file's data. done is false where the kernel does not do so for it.
func (a *aio) dataSync(f *os.File) (done bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.call.fd = uint32(f.Fd())
	switch _, _, no := unix.Syscall(unix.SYS_IO_SUBMIT, a.context, 1, uintptr(unsafe.Pointer(&a.call))); no { //nolint:gosec // as above
	case 0:
	case unix.EINVAL, unix.ENOSYS, unix.EPERM, unix.EAGAIN:
		return false, nil
	default:
		return true, no
	}
	var count [8]byte
	if _, err := a.done.Read(count[:]); err != nil {
		return true, err
	}
	return true, a.result()
}

// result takes that of the call that has ended.
func (a *aio) result() error {
	for {
		n, _, no := unix.Syscall6(unix.SYS_IO_GETEVENTS, a.context, 1, 1, uintptr(unsafe.Pointer(&a.event)), 0, 0) //nolint:gosec // as above
		switch {
		case no == unix.EINTR:
		case no != 0:
			return no
		case n != 1:
			return fmt.Errorf("io_getevents: %d events", n)
		case a.event.result < 0:
			return unix.Errno(-a.event.result)
		default:
			return nil
		}
	}
}
