package process

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// nonceKey names the variable that marks a process as started by a gateway.
const nonceKey = "GATEWAY_ENGINE_NONCE"

// pipeGrace is how long output is still read after the process has ended, for
// when something that left its group holds the pipes open.
const pipeGrace = 500 * time.Millisecond

// Command says what to start.
type Command struct {
	Binary *Binary
	Args   []string
	// Env is the whole environment: nothing is inherited.
	Env []string
	// Dir is the working folder; "" is the gateway's.
	Dir string
	// Folder is the process's own folder, from Host.Folder.
	Folder string
	// Limits on what it may take.
	Limits Limits
	// Line gets each line that is printed on stderr, and on stdout after the
	// first. It is called from two goroutines.
	Line func(Line)
}

// Limits bound what each process of an engine may take; zero is no bound.
type Limits struct {
	// Memory in bytes: heap, stacks and private mappings.
	Memory int64
	// OpenFiles, sockets and pipes among them.
	OpenFiles int64
}

// Process is a running engine program.
type Process struct {
	cmd    *exec.Cmd
	pid    int
	record string
	folder string
	first  *firstLine

	mu     sync.Mutex
	reaped bool
	done   chan struct{}
}

// Folder makes a private folder for one process; it goes when the process ends.
func (h *Host) Folder() (string, error) {
	folder := filepath.Join(h.sockets, nonce()[:8])
	return folder, os.Mkdir(folder, 0o700)
}

// Start executes c.Binary as it was hashed.
func (h *Host) Start(c Command) (*Process, error) {
	path, err := c.Binary.executeAs(c.Folder)
	if err != nil {
		return nil, err
	}
	mark := nonce()
	cmd, out, err := h.execute(c, path, mark)
	for end := time.Now().Add(busyTime); errors.Is(err, errBusy) && time.Now().Before(end); {
		time.Sleep(busyTime / 20)
		cmd, out, err = h.execute(c, path, mark)
	}
	if err != nil {
		return nil, explainExec(c.Binary, err)
	}
	p := &Process{cmd: cmd, pid: cmd.Process.Pid, folder: c.Folder, first: newFirstLine(), done: make(chan struct{})}
	p.record = h.remember(record{PID: p.pid, Nonce: mark})
	if err = c.Limits.set(p.pid); err != nil { // while the number is still its own
		err = fmt.Errorf("%q: limits: %w", c.Binary.path, err)
	}
	go p.watch(out, c.Line)
	if err = errors.Join(err, verify(c.Binary)); err != nil {
		p.Kill()
	}
	return p, err
}

// busyTime is how long somebody may still be writing into a program that is to
// be started: whoever has just put it there, or a child of theirs between fork
// and exec.
const busyTime = time.Second

func (h *Host) execute(c Command, path, mark string) (*exec.Cmd, output, error) {
	cmd := &exec.Cmd{
		Path:        path,
		Args:        append([]string{c.Binary.path}, c.Args...),
		Env:         append(c.Env[:len(c.Env):len(c.Env)], nonceKey+"="+mark),
		Dir:         c.Dir,
		SysProcAttr: attributes(),
	}
	out, err := h.startPiped(cmd, c.Binary)
	return cmd, out, err
}

// verify makes sure that nobody wrote into the file between hash and exec.
func verify(b *Binary) error {
	same, err := b.untouched()
	if err == nil && !same {
		err = fmt.Errorf("%q: changed while it was being started", b.path)
	}
	return err
}

// output is our end of what a process prints.
type output struct{ stdout, stderr *os.File }

func (h *Host) startPiped(cmd *exec.Cmd, b *Binary) (output, error) {
	stdout, w1, err := os.Pipe()
	if err != nil {
		return output{}, err
	}
	defer func() { _ = w1.Close() }()
	stderr, w2, err := pipeAbove(b)
	if err != nil {
		_ = stdout.Close()
		return output{}, err
	}
	defer func() { _ = w2.Close() }()
	cmd.Stdout, cmd.Stderr = w1, w2
	out := output{stdout, stderr}
	if err := h.start(cmd); err != nil {
		out.close()
		return output{}, err
	}
	return out, nil
}

func (o output) close() {
	_ = o.stdout.Close()
	_ = o.stderr.Close()
}

// stopReading ends the readers even if someone still holds the other end.
func (o output) stopReading(at time.Time) {
	_ = o.stdout.SetReadDeadline(at)
	_ = o.stderr.SetReadDeadline(at)
}

// watch reads what the process prints until it has ended, then tidies up.
func (p *Process) watch(out output, line func(Line)) {
	var readers sync.WaitGroup
	readers.Go(func() { readLog(out.stderr, line) })
	readers.Go(func() { p.first.drain(out.stdout, line) })
	p.reap()
	out.stopReading(time.Now().Add(pipeGrace))
	readers.Wait()
	out.close()
	_ = os.RemoveAll(p.folder)
	_ = os.Remove(p.record)
	close(p.done)
}

// PID is the process's number.
func (p *Process) PID() int { return p.pid }

// Done is closed when the process has ended, is collected, and has left no
// file behind.
func (p *Process) Done() <-chan struct{} { return p.done }

// Kill ends the process and its group at once. It does not wait.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped { // else the number may already be somebody else's
		p.signalGroup()
	}
}

// Exit says how the process ended: "exit status 3", "signal: killed". Valid
// after Done.
func (p *Process) Exit() string { return p.cmd.ProcessState.String() }

// Handshake is the first line that the process printed on stdout, then end of
// file when it ends.
func (p *Process) Handshake() io.ReadCloser { return p.first.reader() }

// FirstLine is what Handshake gave; "" when nothing was printed.
func (p *Process) FirstLine() string { return p.first.text() }

func explainExec(b *Binary, err error) error {
	if errors.Is(err, errNotProgram) {
		return fmt.Errorf("%q: not a program for this machine (%s)", b.path, machine)
	}
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	if b.script && errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%q: its interpreter (the first line, #!) was not found", b.path)
	}
	return fmt.Errorf("%q: execute: %w", b.path, err)
}

// nonce is unguessable and never the same twice.
func nonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it would end the program instead
	return hex.EncodeToString(b[:])
}
