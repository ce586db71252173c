package sdktest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
	"github.com/event-gateway/gateway/plugins/sdk/sdktest/host"
)

// streamTrials are the promises about a key that comes twice, and about streams.
func streamTrials() []trial {
	return []trial{
		{name: "start-again", promise: "doesn't start a run again that is under way",
			advice: "A Start for a key that runs starts nothing and fails nothing: the run goes on, and ends once.",
			needs:  slow, run: talking(startAgain)},
		{name: "moved", promise: "reports a run on the stream where it was started last, and stops it with no other",
			advice: "A Start for a key that runs makes its stream the one of the run: updates go there from then on, and the end of an older stream doesn't stop it.",
			needs:  slow, run: with(moved)},
		{name: "stream-lost", promise: "stops the runs of a stream that broke",
			advice: "When a stream is over, stop the runs that report on it, unless you have ABILITY_GET: nobody knows of them any more.",
			needs:  slow, run: with(streamLost)},
		{name: "two-streams", promise: "serves a second stream after the first broke",
			advice: "Serve a new Run stream while an old one is being given up.",
			run:    with(twoStreams)},
	}
}

// A run that goes on although it should not is silent. So it has a deadline, at
// which it makes itself heard, after all else has happened: soon, or when there
// was time to stop it.
const (
	soonDue = 3 * time.Second
	lateDue = 5 * time.Second
)

func dueAt(at time.Time) func(*enginev1.Start) {
	return func(m *enginev1.Start) { m.Deadline = timestamppb.New(at) }
}

func startAgain(ctx context.Context, p *host.Process, t *talk, o Options) error {
	due := time.Now().Add(soonDue)
	if err := t.underWay("again", o, dueAt(due)); err != nil {
		return err
	}
	if err := t.Start("again", o.Slow, o.SlowInput, dueAt(due)); err != nil {
		return err
	}
	if err := unless("a second Start ended the run")(t.goesOn()); err != nil {
		return err
	}
	if err := t.stop("again"); err != nil {
		return err
	}
	twice := unless("a second Start began the run again, and it ended twice")
	if err := twice(t.endBy(later(due, time.Now()).Add(settle))); err != nil {
		return err
	}
	return forgets(ctx, p, "again", time.Now().Add(host.StopTimeout))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// moved starts two runs on one stream and then on another: the first ends
// while both streams are there, the second after the older one broke.
func moved(ctx context.Context, p *host.Process, o Options) error {
	first, err := open(ctx, p)
	if err != nil {
		return err
	}
	defer first.Break()
	second, err := open(ctx, p)
	if err != nil {
		return err
	}
	defer second.Break()
	for _, key := range []string{"moved", "left"} {
		if err := first.underWay(key, o); err != nil {
			return err
		}
		if err := second.Start(key, o.Slow, o.SlowInput); err != nil {
			return err
		}
		if err := unless("a Start on a second stream ended the run")(second.goesOn()); err != nil {
			return err
		}
		if key == "left" {
			first.Break()
			if err := unless("the end of a stream that the run had left ended it")(second.goesOn()); err != nil {
				return err
			}
		}
		if err := second.stop(key); err != nil {
			return fmt.Errorf("on the second stream: %w", err)
		}
	}
	return nil
}

func streamLost(ctx context.Context, p *host.Process, o Options) error {
	if kept, err := p.Can(ctx, enginev1.Ability_ABILITY_GET); err != nil || kept {
		return cmp.Or(err, error(untried("it says that it has ABILITY_GET: its runs outlive their stream")))
	}
	first, err := open(ctx, p)
	if err != nil {
		return err
	}
	defer first.Break()
	due := time.Now().Add(lateDue)
	if err := first.underWay("lost", o, dueAt(due)); err != nil {
		return err
	}
	first.Break()
	if err := forgets(ctx, p, "lost", due.Add(-settle)); err != nil {
		return err
	}
	second, err := open(ctx, p)
	if err != nil {
		return err
	}
	defer second.Break()
	if err := second.Start("lost", o.Slow, o.SlowInput); err != nil {
		return err
	}
	return unless("the run of the broken stream went on, and ended on the next")(second.endBy(due.Add(settle)))
}

// forgets wants that a run is no longer under way before a time. An engine
// that can't tell has a moment to notice, too.
func forgets(ctx context.Context, p *host.Process, key string, before time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, before)
	defer cancel()
	tick := time.NewTicker(settle)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New("the run goes on, by what Get says")
		}
		out, err := p.State(ctx, key)
		if ctx.Err() == nil && (err != nil || out.GetRunning() == nil && out.GetWaiting() == nil) {
			return err
		}
	}
}

// largeOutput tells the engine a limit that its usual output is over.
func largeOutput(ctx context.Context, o Options) error {
	usual := 0
	err := talking(func(_ context.Context, _ *host.Process, t *talk, o Options) error {
		if err := t.Start("fits", o.Workflow, o.Input); err != nil {
			return err
		}
		m, err := t.End("fits", host.RunTimeout)
		if err == nil {
			usual, err = len(m.GetSucceeded().GetOutput()), host.Succeeded(m)
		}
		return err
	})(ctx, o)
	if err != nil {
		return err
	}
	if usual < 2 {
		return untried(fmt.Sprintf("the output of %q is too short to be too large", o.Workflow))
	}
	o.MaxMessage = usual / 2
	return talking(tooLarge)(ctx, o)
}

func tooLarge(_ context.Context, _ *host.Process, t *talk, o Options) error {
	for _, key := range []string{"too-large", "also-too-large"} {
		if err := t.Start(key, o.Workflow, o.Input); err != nil {
			return err
		}
		m, err := t.End(key, host.RunTimeout)
		if err != nil {
			return err
		}
		if size := len(m.GetSucceeded().GetOutput()); size > o.MaxMessage {
			return fmt.Errorf("an output of %d bytes came, where the limit is %d", size, o.MaxMessage)
		}
		if f := m.GetFailed(); f != nil && f.Kind != enginev1.FailureKind_FAILURE_KIND_PERMANENT {
			return fmt.Errorf("want a failure for good with a limit of %d, got %s: %s", o.MaxMessage, f.Kind, f.Message)
		}
	}
	return nil
}
