package sdktest

import (
	"context"
	"errors"
	"fmt"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
	"github.com/event-gateway/gateway/plugins/sdk/sdktest/host"
)

// stateTrials are the promises about what became of a run, and about questions.
func stateTrials() []trial {
	return []trial{
		{name: "get-running", promise: "answers about a run under way",
			advice: "Answer Get with running for a run under way; unknown would have it started again.",
			needs:  slow, run: talking(getRunning)},
		{name: "get-ended", promise: "doesn't take a run that ended for one under way",
			advice: "Answer Get with how the run ended, or with unknown.",
			run:    talking(getEnded)},
		{name: "get-attach", promise: "keeps a run when the stream breaks, and ends it on the next",
			advice: "With ABILITY_GET runs outlive their stream, and report on the next one.",
			needs:  slow, run: with(getAttach)},
		{name: "asks", promise: "has a workflow that asks",
			advice: "Name one for asks: that waits for an answer, and give it an input (asks_input:) with which it does.",
			needs:  asks, run: talking(asksFirst)},
		{name: "answer", promise: "waits for an answer and goes on with it",
			advice: "After Waiting wait for the Answer with the run's key.",
			needs:  asks, run: talking(answer)},
		{name: "answer-lost", promise: "fails a run that is answered and that it doesn't have, to be tried again",
			advice: "An Answer for a key that you don't know is for a run that you have lost: Failed, retryable, and the gateway starts it anew.",
			needs:  asks, run: talking(answerLost)},
		{name: "answer-late", promise: "goes on with an answer that comes after it was started anew",
			advice: "With ABILITY_ANSWER waiting runs are kept on disk: Get says waiting, and an Answer goes on.",
			needs:  asks, run: answerLate},
	}
}

// needs wants an ability that the engine may have and need not have.
func needs(ctx context.Context, p *host.Process, ability enginev1.Ability) error {
	there, err := p.Can(ctx, ability)
	if err == nil && !there {
		return untried("it doesn't say that it has " + ability.String())
	}
	return err
}

func getUnknown(ctx context.Context, p *host.Process, _ Options) error {
	out, err := p.State(ctx, "never-started")
	if err != nil {
		return err
	}
	if out.GetUnknown() == nil {
		return fmt.Errorf("want unknown, got %v", out)
	}
	return nil
}

func getRunning(ctx context.Context, p *host.Process, t *talk, o Options) error {
	if err := t.underWay("asked-for", o); err != nil {
		return err
	}
	out, err := p.State(ctx, "asked-for")
	if err != nil {
		return err
	}
	known := needs(ctx, p, enginev1.Ability_ABILITY_GET) == nil
	if out.GetSucceeded() != nil || out.GetFailed() != nil || known && out.GetRunning() == nil {
		return fmt.Errorf("want running, or unknown if it can't tell; got %v", out)
	}
	return nil
}

// getEnded: what it takes for running is never recorded as ended.
func getEnded(ctx context.Context, p *host.Process, t *talk, o Options) error {
	if err := t.succeed("over", o); err != nil {
		return err
	}
	out, err := p.State(ctx, "over")
	if err != nil {
		return err
	}
	if out.GetSucceeded() == nil && out.GetUnknown() == nil {
		return fmt.Errorf("want succeeded, or unknown if it doesn't remember; got %v", out)
	}
	return nil
}

// getAttach breaks the stream in the middle of a run, as a gateway does that
// is killed, and wants the run's end on the next.
func getAttach(ctx context.Context, p *host.Process, o Options) error {
	if err := needs(ctx, p, enginev1.Ability_ABILITY_GET); err != nil {
		return err
	}
	first, err := open(ctx, p)
	if err != nil {
		return err
	}
	defer first.Break()
	if err := first.underWay("kept", o); err != nil {
		return err
	}
	first.Break()
	second, err := open(ctx, p)
	if err != nil {
		return err
	}
	defer second.Break()
	out, err := p.State(ctx, "kept")
	if err != nil || out.GetRunning() == nil {
		return fmt.Errorf("want running after the stream broke, got %v, %v", out, err)
	}
	if err := second.stop("kept"); err != nil {
		return fmt.Errorf("on the second stream: %w", err)
	}
	return nil
}

// asked starts a run and waits until it waits.
func (t *talk) asked(key string, o Options) error {
	if err := t.Start(key, o.Asks, o.AsksInput); err != nil {
		return err
	}
	for {
		m, err := t.Next(host.RunTimeout)
		if err != nil {
			return err
		}
		if host.Ends(m) {
			return misfit("asks", o.Asks, o.AsksInput, m, nil)
		}
		if m.GetWaiting() != nil {
			return nil
		}
	}
}

func asksFirst(_ context.Context, _ *host.Process, t *talk, o Options) error {
	return t.asked("asks", o)
}

// reply answers a run and wants its success.
func (t *talk) reply(key string, o Options) error {
	if err := t.Send(host.AnswerCommand(key, o.Answer)); err != nil {
		return err
	}
	m, err := t.End(key, host.RunTimeout)
	if err != nil {
		return err
	}
	return host.Succeeded(m)
}

func answer(_ context.Context, _ *host.Process, t *talk, o Options) error {
	if err := t.asked("asking", o); err != nil {
		return err
	}
	if m, err := t.Next(quietTime); !errors.Is(err, host.ErrQuiet) {
		return fmt.Errorf("it did not wait: %v, %v", m, err)
	}
	return t.reply("asking", o)
}

// answerLost answers a run of which nothing is left.
func answerLost(_ context.Context, _ *host.Process, t *talk, o Options) error {
	if err := t.Send(host.AnswerCommand("lost", o.Answer)); err != nil {
		return err
	}
	m, err := t.End("lost", host.StopTimeout)
	if err != nil {
		return err
	}
	return host.Failed(m)
}

// answerLate kills the engine while a run waits.
func answerLate(ctx context.Context, o Options) error {
	err := talking(func(ctx context.Context, p *host.Process, t *talk, o Options) error {
		if err := needs(ctx, p, enginev1.Ability_ABILITY_ANSWER); err != nil {
			return err
		}
		return t.asked("patient", o)
	})(ctx, o)
	if err != nil {
		return err
	}
	return talking(func(ctx context.Context, p *host.Process, t *talk, o Options) error {
		out, err := p.State(ctx, "patient")
		if err != nil || out.GetWaiting() == nil {
			return fmt.Errorf("want waiting, got %v, %v", out, err)
		}
		return t.reply("patient", o)
	})(ctx, o)
}

// restart does a run, kills the engine in the middle of another, and gives a
// new process both keys again.
func restart(ctx context.Context, o Options) error {
	again := func(m *enginev1.Start) { m.Attempt = 2 }
	err := talking(func(_ context.Context, _ *host.Process, t *talk, o Options) error {
		if err := t.succeed("again", o); err != nil || o.Slow == "" {
			return err
		}
		return t.underWay("again-slow", o)
	})(ctx, o)
	if err != nil {
		return err
	}
	return talking(func(_ context.Context, _ *host.Process, t *talk, o Options) error {
		if err := t.succeed("again", o, again); err != nil || o.Slow == "" {
			return err
		}
		if err := t.Start("again-slow", o.Slow, o.SlowInput, again); err != nil {
			return err
		}
		m, err := t.Next(settle)
		if errors.Is(err, host.ErrQuiet) || err == nil && m.GetFailed() == nil {
			return nil
		}
		return fmt.Errorf("run %q again: %v, %v", "again-slow", m, err)
	})(ctx, o)
}
