//go:build unix

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// reapArg makes this program a reaper instead of an engine.
const reapArg = "--reap"

// reaper kills the programs under way when the engine dies: nothing may go on
// when nobody is left to record how it ended, and the same delivery is about
// to be started again. It is a small process in a group of its own, which
// learns of our death when its standard input ends. (A signal on the parent's
// death would reach the program, but not what the program has started.)
type reaper struct {
	mu   sync.Mutex
	live map[int]bool // process groups
	tell io.WriteCloser
}

// add puts a group under watch.
func (r *reaper) add(group int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live[group] = true
	if r.write("+", group) == nil {
		return nil
	}
	return r.start()
}

// remove takes a group that has ended from the watch.
func (r *reaper) remove(group int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.live, group)
	_ = r.write("-", group) // a dead reaper is found by the next add
}

func (r *reaper) write(sign string, group int) error {
	if r.tell == nil {
		return io.ErrClosedPipe
	}
	_, err := fmt.Fprintf(r.tell, "%s%d\n", sign, group)
	return err
}

// start starts the process, the first time and whenever somebody killed it.
func (r *reaper) start() error {
	if r.tell != nil {
		_ = r.tell.Close()
	}
	self, err := self()
	if err != nil {
		return fmt.Errorf("reaper: %w", err)
	}
	cmd := &exec.Cmd{
		Path: self, Args: []string{os.Args[0], reapArg}, Env: []string{},
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}
	if r.tell, err = cmd.StdinPipe(); err != nil {
		return fmt.Errorf("reaper: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("reaper: start: %w", err)
	}
	go func() { _ = cmd.Wait() }() // leaves no zombie when it is killed
	for group := range r.live {
		if err := r.write("+", group); err != nil {
			return fmt.Errorf("reaper: %w", err)
		}
	}
	return nil
}

// self is our own program, also when its file is gone or replaced.
func self() (string, error) {
	const linux = "/proc/self/exe"
	if _, err := os.Stat(linux); err == nil {
		return linux, nil
	}
	return os.Executable()
}

// reap is the reaper's life: it keeps the list, and at its end works it off.
func reap(in io.Reader) {
	live := map[int]bool{}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		line := lines.Text()
		group, err := strconv.Atoi(strings.TrimLeft(line, "+-"))
		switch {
		case err != nil || group <= 1:
		case line[0] == '+':
			live[group] = true
		default:
			delete(live, group)
		}
	}
	for group := range live {
		killGroup(group, syscall.SIGKILL)
	}
}
