package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// secret signs all webhooks.
const secret = "a secret of the end-to-end tests"

// site is one gateway's folder: its configuration, its store, what its
// engines wrote, over as many lives of the gateway as a test wants.
type site struct {
	t      *testing.T
	dir    string
	config string
	env    []string  // more of the gateway's environment
	log    io.Writer // gets all of its log, when set

	mu  sync.Mutex
	now *life
}

// life is one process of the gateway, from start to end.
type life struct {
	pid           int
	public, admin string // base URLs
	cmd           *exec.Cmd
	output        tail
	exited        chan struct{}
}

func newSite(t *testing.T, yaml string) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{t: t, dir: dir, config: filepath.Join(dir, "gateway.yaml")}
	// What engines write is not beside the configuration: every file that is
	// written there has the gateway look whether it is the configuration.
	if err := os.MkdirAll(filepath.Join(dir, "out", "pids"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.write(yaml)
	t.Cleanup(s.end)
	return s
}

// write puts a configuration in place as most editors do.
func (s *site) write(yaml string) { s.replace(s.config, []byte(s.fill(yaml)), 0o600) }

// read is the configuration as it is now.
func (s *site) read() string {
	s.t.Helper()
	text, err := os.ReadFile(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// replace writes beside a file and renames.
func (s *site) replace(path string, content []byte, mode os.FileMode) {
	s.t.Helper()
	if err := errors.Join(os.WriteFile(path+".new", content, mode), os.Rename(path+".new", path)); err != nil {
		s.t.Fatal(err)
	}
}

// fill sets the paths in a configuration.
func (s *site) fill(yaml string) string {
	return strings.NewReplacer("DIR", s.dir, "OUT", s.path("out"), "ENGINE", built.engine, "EXEC", built.exec, "CALLER", built.http).Replace(yaml)
}

// path is a file of the site.
func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

// start starts the gateway and waits until it says that it is ready.
func (s *site) start(args ...string) *life {
	s.t.Helper()
	l := s.launch(args...)
	for deadline := time.After(30 * time.Second); ; {
		select {
		case <-l.output.ready:
			l.public, l.admin = l.output.addresses()
			s.mu.Lock()
			s.now = l
			s.mu.Unlock()
			return l
		case <-l.exited:
			s.t.Fatalf("the gateway ended with code %d before it was ready:\n%s", l.code(), l.output.text())
		case <-deadline:
			l.signal(s.t, syscall.SIGKILL)
			s.t.Fatalf("the gateway is not ready after 30s:\n%s", l.output.text())
		}
	}
}

// launch starts the gateway and waits for nothing.
func (s *site) launch(args ...string) *life {
	s.t.Helper()
	l := &life{exited: make(chan struct{}), output: tail{ready: make(chan struct{}), reasons: map[string]int{}}}
	l.cmd = exec.Command(built.gateway, append([]string{"run", "--config", s.config, "--log-format", "json"}, args...)...)
	l.cmd.Env = append(os.Environ(), "E2E_SECRET="+secret, "TMPDIR="+built.temp)
	l.cmd.Env = append(l.cmd.Env, s.env...)
	stderr, err := l.cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := l.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	l.pid = l.cmd.Process.Pid
	go func() {
		defer close(l.exited)
		if s.log != nil {
			l.output.read(io.TeeReader(stderr, s.log))
		}
		l.output.read(stderr)
		_ = l.cmd.Wait() // the code is in the process state
	}()
	return l
}

// current is the gateway that runs, or ran last.
func (s *site) current() *life {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (l *life) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := l.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
}

// wait waits for the process to end and returns its exit code, -1 when a
// signal ended it.
func (l *life) wait(t *testing.T, limit time.Duration) int {
	t.Helper()
	select {
	case <-l.exited:
		return l.code()
	case <-time.After(limit):
		l.signal(t, syscall.SIGQUIT) // Go prints all goroutines
		select {
		case <-l.exited:
		case <-time.After(5 * time.Second):
			l.signal(t, syscall.SIGKILL)
			<-l.exited
		}
		t.Fatalf("the gateway did not end within %s:\n%s", limit, l.output.text())
		return 0
	}
}

func (l *life) code() int { return l.cmd.ProcessState.ExitCode() }

// kill is SIGKILL.
func (l *life) kill(t *testing.T) {
	t.Helper()
	l.signal(t, syscall.SIGKILL)
	l.wait(t, 10*time.Second)
}

// stop is SIGTERM, which ends in order and with code 0.
func (l *life) stop(t *testing.T) {
	t.Helper()
	l.signal(t, syscall.SIGTERM)
	if code := l.wait(t, 60*time.Second); code != 0 {
		t.Errorf("SIGTERM: exit code %d:\n%s", code, l.output.text())
	}
}

// end leaves nothing running, whatever happened in the test.
func (s *site) end() {
	l := s.current()
	if l == nil {
		return
	}
	select {
	case <-l.exited:
	default:
		l.kill(s.t)
	}
	if s.t.Failed() {
		s.t.Logf("the gateway's last words:\n%s", l.output.text())
	}
}

// tail reads a gateway's log: it notices that it is ready and keeps the end.
type tail struct {
	ready chan struct{}

	mu            sync.Mutex
	listen, admin string
	lines         [][]byte
	reasons       map[string]int // of reloads, as they are logged
}

// keptLines is how much of a log is kept.
const keptLines = 200

func (o *tail) read(from io.Reader) {
	for r := bufio.NewReader(from); ; {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return
		}
		o.add(line)
	}
}

func (o *tail) add(line []byte) {
	var entry struct{ Msg, Listen, Admin, Reason string }
	isReady := json.Unmarshal(line, &entry) == nil && entry.Msg == "ready"
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(line) > 2000 {
		line = append(line[:2000:2000], "…\n"...)
	}
	if o.lines = append(o.lines, line); len(o.lines) > keptLines {
		o.lines = o.lines[1:]
	}
	if entry.Reason != "" {
		o.reasons[entry.Reason]++
	}
	if isReady && o.listen == "" {
		o.listen, o.admin = entry.Listen, entry.Admin
		close(o.ready)
	}
}

func (o *tail) addresses() (public, admin string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return "http://" + o.listen, "http://" + o.admin
}

// reloads is how many reloads were logged with a reason.
func (o *tail) reloads(reason string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.reasons[reason]
}

func (o *tail) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(bytes.Join(o.lines, nil))
}

// until polls until a condition holds; what says what was waited for.
func until(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}
