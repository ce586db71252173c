package process

import "golang.org/x/sys/unix"

// CanLimit: the system bounds what a process may take.
const CanLimit = true

// set bounds a process that has just been started, before it has been spoken
// to. What it starts itself inherits the bounds. The memory is that of
// RLIMIT_DATA, which leaves out address space that is only reserved: runtimes
// reserve a great deal of it.
func (l Limits) set(pid int) error {
	for resource, most := range map[int]int64{unix.RLIMIT_DATA: l.Memory, unix.RLIMIT_NOFILE: l.OpenFiles} {
		if most == 0 {
			continue
		}
		bound := unix.Rlimit{Cur: uint64(most), Max: uint64(most)}
		if err := unix.Prlimit(pid, resource, &bound, nil); err != nil {
			return err
		}
	}
	return nil
}
