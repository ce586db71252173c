package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/hashicorp/go-plugin/runner"
)

// Runner lets go-plugin start a Command without touching the process: it sees
// one line of stdout and nothing of stderr, and its kill is ours.
type Runner struct {
	host    *Host
	command Command
	process atomic.Pointer[Process]
	killed  atomic.Bool
}

var _ runner.Runner = (*Runner)(nil)

// Runner prepares the start of c.
func (h *Host) Runner(c Command) *Runner { return &Runner{host: h, command: c} }

// AddEnv adds what go-plugin wants the process to know. Before Start.
func (r *Runner) AddEnv(env []string) { r.command.Env = append(r.command.Env, env...) }

// Process is what was started, nil before that.
func (r *Runner) Process() *Process { return r.process.Load() }

// Start executes the command.
func (r *Runner) Start(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p, err := r.host.Start(r.command)
	if p == nil { // else the folder goes with the process
		_ = os.RemoveAll(r.command.Folder)
		return err
	}
	r.process.Store(p)
	if r.killed.Load() { // while it was being started
		p.Kill()
	}
	return err
}

// Wait returns when the process has ended and is collected.
func (r *Runner) Wait(context.Context) error {
	p := r.process.Load()
	<-p.done
	if !p.cmd.ProcessState.Success() {
		return errors.New(p.Exit())
	}
	return nil
}

// Kill ends the process and its group, also one that is started later.
func (r *Runner) Kill(context.Context) error {
	r.killed.Store(true)
	if p := r.process.Load(); p != nil {
		p.Kill()
	}
	return nil
}

// Stdout is the handshake alone.
func (r *Runner) Stdout() io.ReadCloser { return r.process.Load().Handshake() }

// Stderr is empty: go-plugin's reader must not see what strangers print.
func (r *Runner) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Name is the path of the program.
func (r *Runner) Name() string { return r.command.Binary.path }

// ID is the process's number, "" before Start.
func (r *Runner) ID() string {
	p := r.process.Load()
	if p == nil {
		return ""
	}
	return strconv.Itoa(p.pid)
}

// Diagnose adds nothing: the caller explains what went wrong.
func (r *Runner) Diagnose(context.Context) string { return "" }

// PluginToHost takes the address that the engine listens on. It must be on
// this machine: an engine can't send the gateway elsewhere.
func (r *Runner) PluginToHost(network, address string) (string, string, error) {
	switch network {
	case "unix":
		return network, address, nil
	case "tcp":
		if addr, err := netip.ParseAddrPort(address); err == nil && addr.Addr().IsLoopback() {
			return network, address, nil
		}
	}
	return "", "", fmt.Errorf("listens on %s %q: want a unix socket or a loopback address", network, address)
}

// HostToPlugin changes nothing: both sides see the same files.
func (r *Runner) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}
