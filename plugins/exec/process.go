//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const (
	// killGrace is between SIGTERM and SIGKILL.
	killGrace = 5 * time.Second
	// readGrace is how long output is read after the program has ended and
	// its group was killed: whoever holds the pipe then left the group.
	readGrace = time.Second
)

// process is one program under way, in a process group of its own. Its pipes
// are ours, not os/exec's, because only so does Wait return when the program
// ends rather than when the last of its children does.
type process struct {
	cmd            *exec.Cmd
	stdin          []byte
	stdout, stderr io.Writer

	theirs, ours []*os.File
	readers      sync.WaitGroup
}

// run starts the program and returns when it has ended and nothing of its
// group is left. When ctx ends first the group is asked to end, then made to.
func (p *process) run(ctx context.Context, spawn spawner) error {
	if err := p.pipes(); err != nil {
		p.close()
		return err
	}
	p.cmd.SysProcAttr = attributes()
	err := spawn.start(p.cmd)
	closeAll(p.theirs)
	if err != nil {
		p.close()
		return fmt.Errorf("start %s: %w", p.cmd.Path, reason(err))
	}
	ended := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		stopGroup(ctx, p.cmd.Process.Pid, ended)
	}()
	err = p.cmd.Wait()
	killGroup(p.cmd.Process.Pid, syscall.SIGKILL) // at once: the id is free for others now
	close(ended)
	<-watched
	p.close()
	return err
}

// pipes makes the three pipes and starts to pump them.
func (p *process) pipes() error {
	in, err := p.pipe()
	if err != nil {
		return err
	}
	out, err := p.pipe()
	if err != nil {
		return err
	}
	log, err := p.pipe()
	if err != nil {
		return err
	}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = in.r, out.w, log.w
	p.theirs = []*os.File{in.r, out.w, log.w}
	p.ours = []*os.File{in.w, out.r, log.r}
	p.readers.Go(func() { // a program need not read its input
		_, _ = in.w.Write(p.stdin)
		_ = in.w.Close()
	})
	p.readers.Go(func() { _, _ = io.Copy(p.stdout, out.r) })
	p.readers.Go(func() { _, _ = io.Copy(p.stderr, log.r) })
	return nil
}

type pipe struct{ r, w *os.File }

func (p *process) pipe() (pipe, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return pipe{}, err
	}
	p.ours = append(p.ours, r, w) // all of them, until they are shared out
	return pipe{r, w}, nil
}

// close waits for what was written to be read, but not for ever.
func (p *process) close() {
	soon := time.Now().Add(readGrace)
	for _, f := range p.ours {
		_ = f.SetDeadline(soon)
	}
	p.readers.Wait()
	closeAll(p.ours)
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// stopGroup ends the group when ctx does, politely first.
func stopGroup(ctx context.Context, group int, ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
		killGroup(group, syscall.SIGTERM)
	}
	grace := time.NewTimer(killGrace)
	defer grace.Stop()
	select {
	case <-ended:
	case <-grace.C:
		killGroup(group, syscall.SIGKILL)
	}
}

func killGroup(group int, signal syscall.Signal) {
	if err := syscall.Kill(-group, signal); errors.Is(err, syscall.EPERM) {
		// A program that changed its user is out of our reach.
		_ = syscall.Kill(group, signal)
	}
}

// spawner starts programs, all from one thread: on Linux the signal that a
// child gets when its parent dies is sent when the parent's thread does.
type spawner chan spawned

type spawned struct {
	cmd *exec.Cmd
	err chan error
}

// run starts programs for ever.
func (s spawner) run() {
	runtime.LockOSThread()
	for c := range s {
		c.err <- c.cmd.Start()
	}
}

func (s spawner) start(cmd *exec.Cmd) error {
	c := spawned{cmd: cmd, err: make(chan error, 1)}
	s <- c
	return <-c.err
}
