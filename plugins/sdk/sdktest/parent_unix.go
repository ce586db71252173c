//go:build unix

package sdktest

import (
	"context"
	"syscall"
	"time"

	"github.com/event-gateway/gateway/plugins/sdk/sdktest/trace"
)

// parentTimeout is a few looks at the parent's id, one a second, and the time
// that runs have to end.
const parentTimeout = 5*time.Second + stopTimeout

// parentDeath puts a shell between us and the engine, and kills it, in the
// middle of a run where there is a slow one. The engine's standard output
// closes when it ends.
func parentDeath(ctx context.Context, o Options) error {
	r, err := startRaw(ctx, o, "/bin/sh", "-c", `"$@" & wait`, "sh")
	if err != nil {
		return err
	}
	defer r.kill()
	if err := r.orphan(ctx, o); err != nil {
		return &spoken{err, r.stderr.Last()}
	}
	return nil
}

func (r *raw) orphan(ctx context.Context, o Options) error {
	t, err := newTalk(ctx, r, o.nonce)
	if err != nil {
		return err
	}
	defer t.cancel()
	if o.Slow != "" {
		if err := t.underWay("orphaned", o); err != nil {
			return err
		}
	}
	if err := r.cmd.Process.Kill(); err != nil {
		return err
	}
	if err := within(ctx, parentTimeout, r.lines); err != nil {
		return err
	}
	return trace.Leftovers(r.mark)
}

// interrupt is what the whole group of a terminal gets at Ctrl-C.
func interrupt(ctx context.Context, p *process, o Options) error {
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		return err
	}
	t, err := p.talk(ctx)
	if err != nil {
		return err
	}
	defer t.cancel()
	return t.succeed("interrupted", o)
}
