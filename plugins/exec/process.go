//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/event-gateway/gateway/plugins/sdk"
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
func (p *process) run(ctx context.Context, reaper *reaper) error {
	defer p.close()
	if err := p.pipes(); err != nil {
		return err
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err := p.cmd.Start()
	closeAll(p.theirs)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.cmd.Path, reason(err))
	}
	group := p.cmd.Process.Pid
	defer reaper.remove(group)
	if err := reaper.add(group); err != nil {
		sdk.Logger().Error("nobody watches over the program", "group", group, "error", err.Error())
	}
	return p.wait(ctx, group)
}

// wait waits for the program, and ends what it leaves of its group.
func (p *process) wait(ctx context.Context, group int) error {
	ended := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() { stopGroup(ctx, group, ended) })
	err := p.cmd.Wait()
	killGroup(group, syscall.SIGKILL) // at once: the id is free for others now
	close(ended)
	watch.Wait()
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
