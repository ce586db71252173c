package process

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// byDescriptor: /proc/self/fd lets an open file be executed.
const byDescriptor = true

// stampOf includes the change time, which no call can set back.
func stampOf(info os.FileInfo) stamp {
	s := stamp{size: info.Size(), modified: info.ModTime()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.change = time.Unix(sys.Ctim.Sec, sys.Ctim.Nsec)
	}
	return s
}

// executeAs gives the path that executes b: for a program a link to our open
// descriptor, which the forked child still holds when it calls exec. The link
// carries the program's name, so that ps and top show it.
func (b *Binary) executeAs(folder string) (string, error) {
	if b.script {
		return b.path, nil
	}
	link := filepath.Join(folder, filepath.Base(b.path))
	target := "/proc/self/fd/" + strconv.Itoa(int(b.file.Fd()))
	return link, os.Symlink(target, link)
}

// attributes: a process group of its own, and death with the gateway.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// reap waits for the leader to end, kills what is left of its group while the
// dead leader still keeps the group's number from being used again, and only
// then collects it.
func (p *Process) reap() {
	for {
		err := unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signalGroup()
	p.reaped = true
	_ = p.cmd.Wait() // how it ended is read from the process state
}
