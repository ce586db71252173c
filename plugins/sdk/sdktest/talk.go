package sdktest

import (
	"context"
	"errors"
	"fmt"
	"time"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
	"github.com/event-gateway/gateway/plugins/sdk/sdktest/host"
	"github.com/event-gateway/gateway/plugins/sdk/sdktest/trace"
)

// talk is one Run stream, and what trials do on it again and again.
type talk struct{ *host.Talk }

func open(ctx context.Context, p *host.Process) (*talk, error) {
	t, err := p.Talk(ctx)
	return &talk{t}, err
}

// with gives a trial an engine that is configured, and takes it away.
func with(f func(context.Context, *host.Process, Options) error) func(context.Context, Options) error {
	return func(ctx context.Context, o Options) error {
		p, err := host.Configured(ctx, o.program())
		if err != nil {
			return err
		}
		err = f(ctx, p, o)
		p.Kill()
		if err == nil {
			err = trace.Leftovers(p.Mark)
		}
		if err != nil {
			return p.Spoken(err)
		}
		return nil
	}
}

// talking gives it a stream too.
func talking(f func(context.Context, *host.Process, *talk, Options) error) func(context.Context, Options) error {
	return with(func(ctx context.Context, p *host.Process, o Options) error {
		t, err := open(ctx, p)
		if err != nil {
			return err
		}
		defer t.Break()
		return f(ctx, p, t, o)
	})
}

// succeed starts a run and wants its success.
func (t *talk) succeed(key string, o Options, change ...func(*enginev1.Start)) error {
	if err := t.Start(key, o.Workflow, o.Input, change...); err != nil {
		return err
	}
	m, err := t.End(key, host.RunTimeout)
	if err != nil {
		return err
	}
	return host.Succeeded(m)
}

// allSucceed wants the end of each run, once, in any order.
func (t *talk) allSucceed(keys ...string) error {
	all, left := len(keys), map[string]bool{}
	for _, key := range keys {
		left[key] = true
	}
	for len(left) > 0 {
		m, err := t.Next(host.RunTimeout)
		if err != nil {
			return fmt.Errorf("after %d of %d runs: %w", all-len(left), all, err)
		}
		if !left[m.Key] {
			return fmt.Errorf("run %q: an update after its end, or of no run at all", m.Key)
		}
		if host.Ends(m) {
			delete(left, m.Key)
			if err := host.Succeeded(m); err != nil {
				return err
			}
		}
	}
	return t.quiet()
}

// quietTime is how long an update that should not come is waited for.
const quietTime = 200 * time.Millisecond

// quiet wants no further update: every run has ended.
func (t *talk) quiet() error {
	m, err := t.Next(quietTime)
	if errors.Is(err, host.ErrQuiet) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("run %q: an update after its end: %v", m.Key, m)
}

// settle is long enough for a run to be under way.
const settle = 300 * time.Millisecond

// underWay starts a run that goes on.
func (t *talk) underWay(key string, o Options, change ...func(*enginev1.Start)) error {
	if err := t.Start(key, o.Slow, o.SlowInput, change...); err != nil {
		return err
	}
	if m, err := t.goesOn(); err != nil || m != nil {
		return misfit("slow", o.Slow, o.SlowInput, m, err)
	}
	return nil
}

// unless is an error when a run ended, or the stream.
func unless(wrong string) func(end *enginev1.RunUpdate, err error) error {
	return func(end *enginev1.RunUpdate, err error) error {
		switch {
		case err != nil:
			return err
		case end != nil:
			return fmt.Errorf("%s: %s", wrong, how(end))
		}
		return nil
	}
}

// goesOn watches the runs of a stream for a moment: the end of one, if any.
func (t *talk) goesOn() (end *enginev1.RunUpdate, err error) { return t.endBy(time.Now().Add(settle)) }

// endBy is the first end of a run up to a time, if any.
func (t *talk) endBy(until time.Time) (end *enginev1.RunUpdate, err error) {
	for {
		m, err := t.Next(time.Until(until))
		if errors.Is(err, host.ErrQuiet) {
			return nil, nil
		}
		if err != nil || host.Ends(m) {
			return m, err
		}
	}
}

// stop cancels a run and wants the end that it should have.
func (t *talk) stop(key string) error {
	if err := t.Send(host.CancelCommand(key)); err != nil {
		return err
	}
	m, err := t.End(key, host.StopTimeout)
	if err != nil {
		return err
	}
	return host.Failed(m)
}

// misfit tells of a workflow that ended too soon for what it is there for.
func misfit(option, workflow string, input []byte, end *enginev1.RunUpdate, err error) error {
	if err != nil {
		return err
	}
	given := "no input"
	if len(input) > 0 {
		given = fmt.Sprintf("%.200s", input)
	}
	return fmt.Errorf("the workflow %q (%s: in engine-check.yaml) was given %s and ended at once: %s", workflow, option, given, how(end))
}

// how a run ended, in words.
func how(end *enginev1.RunUpdate) string {
	if f := end.GetFailed(); f != nil {
		return fmt.Sprintf("%s: %s", f.Kind, f.Message)
	}
	return "it succeeded"
}
