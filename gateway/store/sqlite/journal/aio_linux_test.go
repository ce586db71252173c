package journal

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What is told to the kernel is laid out as it reads it.
func TestLayout(t *testing.T) {
	var c iocb
	var e ioEvent
	for name, got := range map[string][2]uintptr{
		"iocb": {unsafe.Sizeof(c), 64}, "aio_lio_opcode": {unsafe.Offsetof(c.opcode), 16}, "aio_fildes": {unsafe.Offsetof(c.fd), 20},
		"aio_flags": {unsafe.Offsetof(c.flags), 56}, "aio_resfd": {unsafe.Offsetof(c.signalTo), 60},
		"io_event": {unsafe.Sizeof(e), 32}, "res": {unsafe.Offsetof(e.result), 16},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %d, want %d", name, got[0], got[1])
		}
	}
}

// Syncs beside the process tell what became of each.
func TestSyncsBeside(t *testing.T) {
	a := beside()
	if a == nil {
		t.Skip("no io_submit(2) here: fdatasync(2) is what is used")
	}
	var all sync.WaitGroup
	for range 4 {
		f, err := os.Create(filepath.Join(t.TempDir(), "f"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		all.Go(func() {
			for range 50 {
				if _, err := f.Write([]byte("x")); err != nil {
					t.Error(err)
				}
				if done, err := a.dataSync(f); !done || err != nil {
					t.Error(done, err)
				}
			}
		})
	}
	all.Wait()
	closed, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err == nil {
		err = closed.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	if done, err := a.dataSync(closed); !done || !errors.Is(err, unix.EBADF) {
		t.Errorf("a closed file: %t, %v", done, err)
	}
	unsyncable, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer unsyncable.Close()
	if done, err := a.dataSync(unsyncable); done {
		t.Errorf("a device without sync: %v", err)
	}
	if err := dataSync(unsyncable); !errors.Is(err, unix.EINVAL) {
		t.Errorf("fdatasync of it: %v", err)
	}
}
