//go:build unix && !linux

package process

import (
	"os"
	"syscall"
)

const byDescriptor = false

func stampOf(info os.FileInfo) stamp {
	return stamp{size: info.Size(), modified: info.ModTime()}
}

func (b *Binary) executeAs(string) (string, error) { return b.path, nil }

// attributes: there is no Pdeathsig; the SDK watches its parent instead.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

func (p *Process) reap() {
	_ = p.cmd.Wait() // how it ended is read from the process state
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signalGroup()
	p.reaped = true
}

// CanLimit: nobody can bound what another process may take.
const CanLimit = false

func (l Limits) set(int) error { return nil }

// Without /proc no left-over process can be told for certain: none is killed.
func startTime(int) (string, bool)   { return "", false }
func killLeftOver(map[string]record) {}
