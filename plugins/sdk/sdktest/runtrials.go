package sdktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// runTrials are the promises about runs.
func runTrials() []trial {
	return []trial{
		{name: "run", promise: "runs a workflow to one end",
			advice: "Answer Start with one Succeeded or Failed that has its key; the output is JSON.",
			run:    talking(runOnce)},
		{name: "run-unknown", promise: "ends a run of a workflow that isn't there, and lives on",
			advice: "Answer a Start that can't be done with Failed; an error would end the stream of all runs.",
			run:    talking(runUnknown)},
		{name: "batch", promise: "obeys every command of a message",
			advice: "Obey all commands of a message, not only the first.",
			run:    talking(batch)},
		{name: "concurrent", promise: "does many runs at once, each to one end",
			advice: "Start each run in a thread or task of its own, and let one writer at a time on the stream.",
			run:    talking(concurrent)},
		{name: "strays", promise: "lives on when told about a run that it doesn't know",
			advice: "Overlook a Cancel for a key that you don't know: it crossed the run's end.",
			run:    talking(strays)},
		{name: "large", promise: "takes a body at the limit",
			advice: "Set the server's limits from GATEWAY_MAX_MESSAGE_BYTES, plus 1 MiB: gRPC's own is 4 MiB.",
			run:    talking(large)},
		{name: "same-key", promise: "takes a key again, during the run and after it",
			advice: "A key that runs isn't started twice: its end counts for both. One that ended may be run again, or answered from memory.",
			run:    talking(sameKey)},
		{name: "restart", promise: "takes a key again after it was killed and started anew",
			advice: "A key that an earlier process left half done has to be taken again.",
			run:    restart},
		{name: "two-streams", promise: "serves a second stream after the first broke",
			advice: "Serve a new Run stream while an old one is being given up.",
			run:    with(twoStreams)},
		{name: "cancel", promise: "ends a run that is cancelled, to be tried again",
			advice: "End a cancelled run with Failed, retryable.",
			needs:  slow, run: talking(cancel)},
		{name: "deadline", promise: "ends a run when its time is up, to be tried again",
			advice: "End a run at its deadline with Failed, retryable.",
			needs:  slow, run: talking(deadline)},
		{name: "get-running", promise: "answers about a run under way",
			advice: "Answer Get with running for a run under way; unknown would have it started again.",
			needs:  slow, run: talking(getRunning)},
		{name: "get-ended", promise: "doesn't take a run that ended for one under way",
			advice: "Answer Get with how the run ended, or with unknown.",
			run:    talking(getEnded)},
		{name: "get-attach", promise: "keeps a run when the stream breaks, and ends it on the next",
			advice: "With ABILITY_GET runs outlive their stream, and report on the next one.",
			needs:  slow, run: with(getAttach)},
		{name: "answer", promise: "waits for an answer and goes on with it",
			advice: "After Waiting wait for the Answer with the run's key.",
			needs:  asks, run: talking(answer)},
		{name: "answer-late", promise: "goes on with an answer that comes after it was started anew",
			advice: "With ABILITY_ANSWER waiting runs are kept on disk: Get says waiting, and an Answer goes on.",
			needs:  asks, run: answerLate},
		{name: "crash", promise: "leaves nothing behind when it is killed in a run",
			advice: "What you start has to end with you: pass on a pipe that closes, or use PR_SET_PDEATHSIG.",
			needs:  slow, run: talking(crash)},
		{name: "shutdown-busy", promise: "exits when told to, also in a run",
			advice: "After Shutdown stop the runs, and exit: within two seconds, or the gateway kills what is left.",
			needs:  slow, run: talking(shutdownBusy)},
	}
}

func runOnce(_ context.Context, _ *process, t *talk, o Options) error {
	if err := t.succeed("one", o); err != nil {
		return err
	}
	return t.quiet()
}

// quietTime is how long an update that should not come is waited for.
const quietTime = 200 * time.Millisecond

// quiet wants no further update: every run has ended.
func (t *talk) quiet() error {
	m, err := t.next(quietTime)
	if errors.Is(err, errQuiet) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("run %q: an update after its end: %v", m.Key, m)
}

func runUnknown(_ context.Context, _ *process, t *talk, o Options) error {
	if err := t.start("unknown", o.Workflow+"-that-is-not-there", o.Input); err != nil {
		return err
	}
	// An engine that takes any name may even succeed.
	if _, err := t.end("unknown", runTimeout); err != nil {
		return err
	}
	return t.succeed("known", o)
}

// batch starts several runs in one message.
func batch(_ context.Context, _ *process, t *talk, o Options) error {
	err := t.send(startCommand("first", o.Workflow, o.Input),
		startCommand("second", o.Workflow, o.Input), startCommand("third", o.Workflow, o.Input))
	if err != nil {
		return err
	}
	return t.allSucceed("first", "second", "third")
}

// strays are commands that crossed the end of their run on the way.
func strays(_ context.Context, _ *process, t *talk, o Options) error {
	if err := t.succeed("ended", o); err != nil {
		return err
	}
	if err := t.send(cancelCommand("ended"), cancelCommand("never-started")); err != nil {
		return err
	}
	if err := t.quiet(); err != nil {
		return err
	}
	return t.succeed("next", o)
}

// many is more than one and less than would tire a small machine.
const many = 32

func concurrent(_ context.Context, _ *process, t *talk, o Options) error {
	keys := make([]string, many)
	for i := range keys {
		keys[i] = fmt.Sprintf("many-%d", i)
		if err := t.start(keys[i], o.Workflow, o.Input); err != nil {
			return err
		}
	}
	return t.allSucceed(keys...)
}

// allSucceed wants the end of each run, once, in any order.
func (t *talk) allSucceed(keys ...string) error {
	all, left := len(keys), map[string]bool{}
	for _, key := range keys {
		left[key] = true
	}
	for len(left) > 0 {
		m, err := t.next(runTimeout)
		if err != nil {
			return fmt.Errorf("after %d of %d runs: %w", all-len(left), all, err)
		}
		if !left[m.Key] {
			return fmt.Errorf("run %q: an update after its end, or of no run at all", m.Key)
		}
		if ends(m) {
			delete(left, m.Key)
			if err := succeeded(m); err != nil {
				return err
			}
		}
	}
	return t.quiet()
}

// large fills a JSON body up to the last byte. Whether the workflow likes it
// is its own affair; the stream has to live on.
func large(_ context.Context, _ *process, t *talk, o Options) error {
	body := append(append([]byte{'"'}, bytes.Repeat([]byte{'x'}, o.MaxMessage-2)...), '"')
	err := t.start("large", o.Workflow, o.Input, func(m *enginev1.Start) { m.Event.Body = body })
	if err != nil {
		return err
	}
	if _, err := t.end("large", runTimeout); err != nil {
		return err
	}
	return t.succeed("small", o)
}

func sameKey(_ context.Context, _ *process, t *talk, o Options) error {
	for range 2 {
		if err := t.start("same", o.Workflow, o.Input); err != nil {
			return err
		}
	}
	if _, err := t.end("same", runTimeout); err != nil {
		return err
	}
	// The second start may have come after the end of the first run, and
	// have an end of its own.
	for m, err := t.next(time.Second); err == nil; m, err = t.next(quietTime) {
		if m.Key != "same" {
			return fmt.Errorf("an update for another key: %q", m.Key)
		}
	}
	return t.succeed("same", o, func(m *enginev1.Start) { m.Attempt = 2 })
}

func twoStreams(ctx context.Context, p *process, o Options) error {
	first, err := p.talk(ctx)
	if err != nil {
		return err
	}
	defer first.cancel()
	if err := first.succeed("before", o); err != nil {
		return err
	}
	if err := first.start("broken", o.Workflow, o.Input); err != nil {
		return err
	}
	first.cancel()
	second, err := p.talk(ctx)
	if err != nil {
		return err
	}
	defer second.cancel()
	return second.succeed("broken", o, func(m *enginev1.Start) { m.Attempt = 2 })
}

func (t *talk) underWay(key string, o Options, change ...func(*enginev1.Start)) error {
	if err := t.start(key, o.Slow, o.Input, change...); err != nil {
		return err
	}
	until := time.Now().Add(settle)
	for {
		m, err := t.next(time.Until(until))
		if errors.Is(err, errQuiet) {
			return nil // it goes on
		}
		if err != nil {
			return err
		}
		if ends(m) {
			return fmt.Errorf("Options.Slow ended at once: %v", m)
		}
	}
}

func cancel(_ context.Context, _ *process, t *talk, o Options) error {
	if err := t.underWay("cancelled", o); err != nil {
		return err
	}
	if err := t.send(cancelCommand("cancelled")); err != nil {
		return err
	}
	m, err := t.end("cancelled", stopTimeout)
	if err != nil {
		return err
	}
	return failed(m)
}

func deadline(_ context.Context, _ *process, t *talk, o Options) error {
	err := t.start("late", o.Slow, o.Input, func(m *enginev1.Start) {
		m.Deadline = timestamppb.New(time.Now().Add(settle))
	})
	if err != nil {
		return err
	}
	m, err := t.end("late", stopTimeout)
	if err != nil {
		return err
	}
	return failed(m)
}

// crash kills the engine alone: what it started has to end by itself, or the
// pipes stay open and the process a zombie.
func crash(ctx context.Context, p *process, t *talk, o Options) error {
	if err := t.underWay("crashed", o); err != nil {
		return err
	}
	if err := p.cmd.Process.Kill(); err != nil {
		return err
	}
	if m, err := t.end("crashed", stopTimeout); err == nil {
		return fmt.Errorf("a dead engine reported %v", m)
	}
	return p.gone(ctx, stopTimeout)
}

// shutdownBusy asks by itself: go-plugin kills after two seconds, and nobody
// could tell who ended the process.
func shutdownBusy(ctx context.Context, p *process, t *talk, o Options) error {
	if err := t.underWay("busy", o); err != nil {
		return err
	}
	var nothing emptypb.Empty
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	err := p.conn.(*plugin.GRPCClient).Conn.Invoke(ctx, "/plugin.GRPCController/Shutdown", &nothing, &nothing)
	if status.Code(err) == codes.Unimplemented {
		return err
	}
	return p.gone(ctx, stopTimeout) // it may have been too quick to answer
}
