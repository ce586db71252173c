// Package site is a gateway as a user has one: a folder with a configuration
// and a store, over as many lives of the process as a trial wants, under a
// tracer if it wants one. It stands below the trials of torture.
package site

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Secret signs the webhook.
const Secret = "a secret of the torture"

// Config sends every event to two routes: one in any order, and one with strict
// order per sender.
const Config = `
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: {path: ./data}
engines:
  main:
    plugin: ENGINE
    env: {GATEWAY_TEST_PIDS: DIR/out/pids}
    config: {journal: DIR/out/journal, delay: 1}
webhooks:
  in: {scheme: github, secrets: ["${env:TORTURE_SECRET}"]}
routes:
  any:
    events: [github.push]
    run: main/note
    with: {route: any}
  ordered:
    events: [github.push]
    run: main/note
    with: {route: ordered}
    key: event.data.sender
    order: strict
`

// Binaries are the programs of a site.
type Binaries struct{ Gateway, Engine string }

// Site is one gateway's folder.
type Site struct {
	Dir      string
	Binaries Binaries
	// Wrap, when set, is a command that runs the gateway, which is appended.
	Wrap []string

	mu  sync.Mutex
	now *Life
}

// New makes a folder with a configuration.
func New(dir string, b Binaries, yaml string) (*Site, error) {
	s := &Site{Dir: dir, Binaries: b}
	// What engines write is not beside the configuration: every file that is
	// written there has the gateway look whether it is the configuration.
	if err := os.MkdirAll(filepath.Join(dir, "out", "pids"), 0o700); err != nil {
		return nil, err
	}
	yaml = strings.NewReplacer("DIR", dir, "ENGINE", b.Engine).Replace(yaml)
	return s, os.WriteFile(s.Path("gateway.yaml"), []byte(yaml), 0o600)
}

// Path is a file of the site.
func (s *Site) Path(name string) string { return filepath.Join(s.Dir, name) }

// Journal is where the engine writes its notes.
func (s *Site) Journal() string { return s.Path("out/journal") }

// Life is one process of the gateway, from start to end.
type Life struct {
	// Began is when it was started, Took how long it took to be ready.
	Began time.Time
	Took  time.Duration
	// Public and Admin are base URLs, set once it is ready.
	Public, Admin string

	cmd    *exec.Cmd
	output tail
	exited chan struct{}
}

// Launch starts the gateway and waits for nothing.
func (s *Site) Launch() (*Life, error) {
	l := &Life{Began: time.Now(), exited: make(chan struct{}), output: tail{ready: make(chan struct{})}}
	command := append(append([]string{}, s.Wrap...), s.Binaries.Gateway, "run", "--config", s.Path("gateway.yaml"), "--log-format", "json")
	l.cmd = exec.Command(command[0], command[1:]...)
	l.cmd.Env = append(os.Environ(), "TORTURE_SECRET="+Secret, "TMPDIR="+s.Dir)
	stderr, err := l.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := l.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(l.exited)
		l.output.read(stderr)
		_ = l.cmd.Wait() // the code is in the process state
	}()
	return l, nil
}

// ErrEnded: the gateway ended before it was ready.
var ErrEnded = errors.New("ended before it was ready")

// Ready waits until the gateway says that it is, and makes it the current one.
func (s *Site) Ready(l *Life, limit time.Duration) error {
	select {
	case <-l.output.ready:
		l.Took = time.Since(l.Began)
		l.Public, l.Admin = l.output.addresses()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.now = l
		return nil
	case <-l.exited:
		return fmt.Errorf("gateway: %w, with code %d:\n%s", ErrEnded, l.Code(), l.output.text())
	case <-time.After(limit):
		l.Kill()
		return fmt.Errorf("gateway: not ready after %s:\n%s", limit, l.output.text())
	}
}

// Start starts the gateway and waits until it is ready.
func (s *Site) Start() (*Life, error) {
	l, err := s.Launch()
	if err != nil {
		return nil, err
	}
	return l, s.Ready(l, 30*time.Second)
}

// Current is the gateway that was ready last; nil when none was.
func (s *Site) Current() *Life {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Ended tells whether the process has ended.
func (l *Life) Ended() bool {
	select {
	case <-l.exited:
		return true
	default:
		return false
	}
}

// Code is the exit code; -1 when a signal ended it.
func (l *Life) Code() int { return l.cmd.ProcessState.ExitCode() }

// Said is the end of the log.
func (l *Life) Said() string { return l.output.text() }

// Kill is SIGKILL. It returns when the process has ended.
func (l *Life) Kill() {
	_ = l.cmd.Process.Kill() // it may have ended
	<-l.exited
}

// Crash kills the gateway but not what it runs under, and waits for both.
func (l *Life) Crash() error {
	if err := l.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		return err
	}
	return l.Wait(10 * time.Second)
}

// Stop is SIGTERM, which ends in order and with code 0.
func (l *Life) Stop() error {
	_ = l.cmd.Process.Signal(syscall.SIGTERM)
	if err := l.Wait(60 * time.Second); err != nil {
		return err
	}
	if code := l.Code(); code != 0 {
		return fmt.Errorf("gateway: SIGTERM ended it with code %d:\n%s", code, l.Said())
	}
	return nil
}

// ErrGoesOn: the gateway did not end when it should have.
var ErrGoesOn = errors.New("gateway: goes on")

// Wait waits for the end of the process; one that goes on is killed, and so is
// its tracer if that takes too long as well.
func (l *Life) Wait(limit time.Duration) error {
	select {
	case <-l.exited:
		return nil
	case <-time.After(limit):
	}
	_ = l.cmd.Process.Signal(syscall.SIGUSR1) // it may have ended
	select {
	case <-l.exited:
	case <-time.After(10 * time.Second):
		l.Kill()
	}
	return fmt.Errorf("%w: it should have ended within %s:\n%s", ErrGoesOn, limit, l.Said())
}

// End leaves nothing running.
func (s *Site) End() {
	if l := s.Current(); l != nil {
		l.Kill()
	}
}

// tail reads a gateway's log: it notices that it is ready and keeps the end.
type tail struct {
	ready chan struct{}

	mu            sync.Mutex
	listen, admin string
	lines         [][]byte
}

// keptLines is how much of a log is kept.
const keptLines = 40

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
	var entry struct{ Msg, Listen, Admin string }
	isReady := json.Unmarshal(line, &entry) == nil && entry.Msg == "ready"
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lines = append(o.lines, line); len(o.lines) > keptLines {
		o.lines = o.lines[1:]
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

func (o *tail) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(bytes.Join(o.lines, nil))
}
