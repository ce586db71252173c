package journal

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// dataSync is fdatasync(2), beside the process where that is possible: a thread that
// waits for a disk keeps its place among the few that run Go for most of that time.
func dataSync(f *os.File) error {
	if a := beside(); a != nil {
		if done, err := a.dataSync(f); done {
			return err
		}
	}
	for {
		if err := unix.Fdatasync(int(f.Fd())); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
