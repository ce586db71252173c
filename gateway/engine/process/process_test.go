package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func newHost(t *testing.T, dir string) *Host {
	t.Helper()
	h, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); h.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func program(t *testing.T, text string) *Binary {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	b, err := OpenBinary(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func run(t *testing.T, h *Host, b *Binary, args ...string) (*Process, *[]Line) {
	t.Helper()
	folder, err := h.Folder()
	if err != nil {
		t.Fatal(err)
	}
	lines := &[]Line{}
	p, err := h.Start(Command{Binary: b, Args: args, Folder: folder, Line: func(l Line) { *lines = append(*lines, l) }})
	if err != nil {
		t.Fatal(err)
	}
	return p, lines
}

func TestProcessTidiesUp(t *testing.T) {
	t.Parallel()
	h := newHost(t, t.TempDir())
	p, lines := run(t, h, program(t, "#!/bin/sh\necho hand\necho '[WARN] oops' >&2\nexit 4\n"))
	first, err := io.ReadAll(p.Handshake())
	<-p.Done()
	if string(first) != "hand\n" || err != nil || p.Exit() != "exit status 4" {
		t.Errorf("printed %q, %v, %s", first, err, p.Exit())
	}
	if len(*lines) != 1 || (*lines)[0].Level != Warn {
		t.Errorf("lines %+v", *lines)
	}
	for _, path := range []string{p.folder, p.record} {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s is still there", path)
		}
	}
	p.Kill() // the number may be somebody else's by now
}

// TestProgramRunsFromItsDescriptor: the program is known by its own name and
// path, not by a descriptor's.
func TestProgramRunsFromItsDescriptor(t *testing.T) {
	t.Parallel()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	b, err := OpenBinary(sleep)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	h := newHost(t, t.TempDir())
	p, _ := run(t, h, b, "60")
	defer p.Kill()
	proc := fmt.Sprintf("/proc/%d", p.PID())
	if exe, _ := os.Readlink(proc + "/exe"); exe != b.Path() {
		t.Errorf("runs %q", exe)
	}
	name, _ := os.ReadFile(proc + "/comm")
	if got := strings.TrimSpace(string(name)); got != filepath.Base(b.Path()) {
		t.Errorf("is called %q", got)
	}
}

func TestChangedFileIsNoticed(t *testing.T) {
	t.Parallel()
	b := program(t, "#!/bin/sh\n: one\n")
	sum := b.Sum()
	if err := b.Refresh(); err != nil || b.Sum() != sum {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.Path(), []byte("#!/bin/sh\n: two\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if same, err := b.untouched(); same || err != nil {
		t.Error("a file of the same size passes for the one that was hashed")
	}
	if err := b.Refresh(); err != nil || b.Sum() == sum {
		t.Error("the checksum is the old one")
	}
}

// TestCleanUpKillsExactMatchesOnly writes notes about processes that live: the
// one that is really ours goes, the others stay.
func TestCleanUpKillsExactMatchesOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	note := func(pid int, start, nonce string) {
		text, _ := json.Marshal(record{PID: pid, Start: start, Nonce: nonce})
		if err := os.WriteFile(filepath.Join(dir, "run", nonce), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ours, otherStart, otherNonce := sleeper(t, "aaa"), sleeper(t, "bbb"), sleeper(t, "zzz")
	note(ours.pid, ours.start, "aaa")
	note(otherStart.pid, "1", "bbb")
	note(otherNonce.pid, otherNonce.start, "ccc")
	note(os.Getpid(), "1", "ddd")
	if err := os.WriteFile(filepath.Join(dir, "run", "junk"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	newHost(t, dir)
	select {
	case <-ours.done:
	case <-time.After(10 * time.Second):
		t.Error("the left-over process lives")
	}
	for _, other := range []sleeping{otherStart, otherNonce} {
		select {
		case <-other.done:
			t.Error("somebody else's process was killed")
		case <-time.After(100 * time.Millisecond): // a kill takes effect a little later
		}
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "run")); len(left) != 0 {
		t.Errorf("notes left: %v", left)
	}
}

type sleeping struct {
	pid   int
	start string
	done  chan struct{}
}

func sleeper(t *testing.T, nonce string) sleeping {
	t.Helper()
	cmd := exec.Command("sleep", "60")
	cmd.Env = []string{nonceKey + "=" + nonce}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := sleeping{pid: cmd.Process.Pid, done: make(chan struct{})}
	go func() { defer close(s.done); _ = cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-s.done })
	var ok bool
	if s.start, ok = startTime(s.pid); !ok {
		t.Fatal("no start time")
	}
	return s
}

func TestSocketsStayShort(t *testing.T) {
	t.Parallel()
	h, err := Open(filepath.Join(t.TempDir(), strings.Repeat("d", 100)))
	if err != nil {
		t.Fatal(err)
	}
	folder, err := h.Folder()
	if err != nil {
		t.Fatal(err)
	}
	// What go-plugin adds at most: a folder and a file with random numbers.
	if n := len(folder) + len("/plugin-dir4294967295/plugin4294967295"); n >= 100 {
		t.Errorf("socket paths of %d bytes", n)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("%s is left", folder)
	}
}

func TestRuntimeFolderIsPrivate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("error %v", err)
	}
}

// TestKillBeforeStart: a start that was given up before it happened leaves no
// process.
func TestKillBeforeStart(t *testing.T) {
	t.Parallel()
	h := newHost(t, t.TempDir())
	folder, err := h.Folder()
	if err != nil {
		t.Fatal(err)
	}
	r := h.Runner(Command{Binary: program(t, "#!/bin/sh\nexec sleep 60\n"), Folder: folder, Line: func(Line) {}})
	_ = r.Kill(t.Context())
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-r.Process().Done():
	case <-time.After(10 * time.Second):
		r.Process().Kill()
		t.Error("the process lives")
	}
}

// A program that is still open for writing, somewhere, is waited for.
func TestBusyProgram(t *testing.T) {
	t.Parallel()
	h := newHost(t, t.TempDir())
	path := filepath.Join(t.TempDir(), "program")
	text, err := os.ReadFile("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o700); err != nil {
		t.Fatal(err)
	}
	writer, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := OpenBinary(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	time.AfterFunc(busyTime/4, func() { _ = writer.Close() })
	p, _ := run(t, h, b, "60")
	p.Kill()
	<-p.Done()
}

// A program's number is below the highest that its child is given, also when
// lower ones are free: see pipeAbove.
func TestPipeAboveTheProgram(t *testing.T) {
	t.Parallel()
	var held []*os.File
	for range 20 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, f)
	}
	b := program(t, "#!/bin/sh\n")
	for _, f := range held {
		_ = f.Close()
	}
	r, w, err := pipeAbove(b)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if w.Fd() <= b.file.Fd() {
		t.Errorf("the program has the number %d, the pipe %d", b.file.Fd(), w.Fd())
	}
	_, write := w.WriteString("x")
	text, read := io.ReadAll(io.LimitReader(r, 1))
	if err := errors.Join(write, w.Close(), read); string(text) != "x" || err != nil {
		t.Errorf("read %q, %v", text, err)
	}
	if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
		t.Errorf("another end is open: %q, %v", rest, err)
	}
}
