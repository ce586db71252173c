//go:build unix

package sdktest

import (
	"context"
	"syscall"
	"time"

	"github.com/event-gateway/gateway/plugins/sdk/sdktest/host"
	"github.com/event-gateway/gateway/plugins/sdk/sdktest/trace"
)

// parentTimeout is a few looks at the parent's id, one a second, and the time
// that runs have to end.
const parentTimeout = 5*time.Second + host.StopTimeout

// parentDeath puts a shell between us and the engine, and kills it, in the
// middle of a run where there is a slow one. The engine's standard output
// closes when it ends.
func parentDeath(ctx context.Context, o Options) error {
	r, err := host.StartRaw(ctx, o.program(), "/bin/sh", "-c", `"$@" & wait`, "sh")
	if err != nil {
		return err
	}
	defer r.Kill()
	if err := orphan(ctx, r, o); err != nil {
		return r.Spoken(err)
	}
	return nil
}

func orphan(ctx context.Context, r *host.Raw, o Options) error {
	heard, err := host.NewTalk(ctx, r, o.nonce)
	if err != nil {
		return err
	}
	t := &talk{heard}
	defer t.Break()
	if o.Slow != "" {
		if err := t.underWay("orphaned", o); err != nil {
			return err
		}
	}
	if err := r.Cmd.Process.Kill(); err != nil {
		return err
	}
	if err := host.Within(ctx, parentTimeout, r.Lines); err != nil {
		return err
	}
	return trace.Leftovers(r.Mark)
}

// interrupt is what the whole group of a terminal gets at Ctrl-C.
func interrupt(ctx context.Context, p *host.Process, o Options) error {
	if err := p.Cmd.Process.Signal(syscall.SIGINT); err != nil {
		return err
	}
	t, err := open(ctx, p)
	if err != nil {
		return err
	}
	defer t.Break()
	return t.succeed("interrupted", o)
}
