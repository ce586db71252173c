package sdktest

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
	"github.com/event-gateway/gateway/plugins/sdk/sdktest/host"
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
		{name: "large-output", promise: "fails a run whose output is too large, and no other",
			advice: "Look at an output before you send it: one of more than GATEWAY_MAX_MESSAGE_BYTES is Failed, permanent.",
			run:    largeOutput},
		{name: "cancel", promise: "ends a run that is cancelled, to be tried again",
			advice: "End a cancelled run with Failed, retryable.",
			needs:  slow, run: talking(cancel)},
		{name: "deadline", promise: "ends a run when its time is up, to be tried again",
			advice: "End a run at its deadline with Failed, retryable.",
			needs:  slow, run: talking(deadline)},
		{name: "crash", promise: "leaves nothing behind when it is killed in a run",
			advice: "What you start has to end with you: pass on a pipe that closes, or use PR_SET_PDEATHSIG.",
			needs:  slow, run: talking(crash)},
		{name: "shutdown-busy", promise: "exits when told to, also in a run",
			advice: "After Shutdown stop the runs, and exit: within two seconds, or the gateway kills what is left.",
			needs:  slow, run: talking(shutdownBusy)},
	}
}

func runOnce(_ context.Context, _ *host.Process, t *talk, o Options) error {
	if err := t.succeed("one", o); err != nil {
		return err
	}
	return t.quiet()
}

func runUnknown(_ context.Context, _ *host.Process, t *talk, o Options) error {
	if err := t.Start("unknown", o.Workflow+"-that-is-not-there", o.Input); err != nil {
		return err
	}
	// An engine that takes any name may even succeed.
	if _, err := t.End("unknown", host.RunTimeout); err != nil {
		return err
	}
	return t.succeed("known", o)
}

// batch starts several runs in one message.
func batch(_ context.Context, _ *host.Process, t *talk, o Options) error {
	err := t.Send(host.StartCommand("first", o.Workflow, o.Input),
		host.StartCommand("second", o.Workflow, o.Input), host.StartCommand("third", o.Workflow, o.Input))
	if err != nil {
		return err
	}
	return t.allSucceed("first", "second", "third")
}

// strays are commands that crossed the end of their run on the way.
func strays(_ context.Context, _ *host.Process, t *talk, o Options) error {
	if err := t.succeed("ended", o); err != nil {
		return err
	}
	if err := t.Send(host.CancelCommand("ended"), host.CancelCommand("never-started")); err != nil {
		return err
	}
	if err := t.quiet(); err != nil {
		return err
	}
	return t.succeed("next", o)
}

// many is more than one and less than would tire a small machine.
const many = 32

func concurrent(_ context.Context, _ *host.Process, t *talk, o Options) error {
	keys := make([]string, many)
	for i := range keys {
		keys[i] = fmt.Sprintf("many-%d", i)
		if err := t.Start(keys[i], o.Workflow, o.Input); err != nil {
			return err
		}
	}
	return t.allSucceed(keys...)
}

// large fills a JSON body up to the last byte. Whether the workflow likes it
// is its own affair; the stream has to live on.
func large(_ context.Context, _ *host.Process, t *talk, o Options) error {
	body := append(append([]byte{'"'}, bytes.Repeat([]byte{'x'}, o.MaxMessage-2)...), '"')
	err := t.Start("large", o.Workflow, o.Input, func(m *enginev1.Start) { m.Event.Body = body })
	if err != nil {
		return err
	}
	if _, err := t.End("large", host.RunTimeout); err != nil {
		return err
	}
	return t.succeed("small", o)
}

func sameKey(_ context.Context, _ *host.Process, t *talk, o Options) error {
	for range 2 {
		if err := t.Start("same", o.Workflow, o.Input); err != nil {
			return err
		}
	}
	if _, err := t.End("same", host.RunTimeout); err != nil {
		return err
	}
	// The second start may have come after the end of the first run, and
	// have an end of its own.
	for m, err := t.Next(time.Second); err == nil; m, err = t.Next(quietTime) {
		if m.Key != "same" {
			return fmt.Errorf("an update for another key: %q", m.Key)
		}
	}
	return t.succeed("same", o, func(m *enginev1.Start) { m.Attempt = 2 })
}

func twoStreams(ctx context.Context, p *host.Process, o Options) error {
	first, err := open(ctx, p)
	if err != nil {
		return err
	}
	defer first.Break()
	if err := first.succeed("before", o); err != nil {
		return err
	}
	if err := first.Start("broken", o.Workflow, o.Input); err != nil {
		return err
	}
	first.Break()
	second, err := open(ctx, p)
	if err != nil {
		return err
	}
	defer second.Break()
	return second.succeed("broken", o, func(m *enginev1.Start) { m.Attempt = 2 })
}

func cancel(_ context.Context, _ *host.Process, t *talk, o Options) error {
	if err := t.underWay("cancelled", o); err != nil {
		return err
	}
	return t.stop("cancelled")
}

func deadline(_ context.Context, _ *host.Process, t *talk, o Options) error {
	err := t.Start("late", o.Slow, o.SlowInput, func(m *enginev1.Start) {
		m.Deadline = timestamppb.New(time.Now().Add(settle))
	})
	if err != nil {
		return err
	}
	m, err := t.End("late", host.StopTimeout)
	if err != nil {
		return err
	}
	return host.Failed(m)
}

// crash kills the engine alone: what it started has to end by itself, or the
// pipes stay open and the process a zombie.
func crash(ctx context.Context, p *host.Process, t *talk, o Options) error {
	if err := t.underWay("crashed", o); err != nil {
		return err
	}
	if err := p.Cmd.Process.Kill(); err != nil {
		return err
	}
	if m, err := t.End("crashed", host.StopTimeout); err == nil {
		return fmt.Errorf("a dead engine reported %v", m)
	}
	return p.Gone(ctx, host.StopTimeout)
}

// shutdownBusy asks by itself: go-plugin kills after two seconds, and nobody
// could tell who ended the process.
func shutdownBusy(ctx context.Context, p *host.Process, t *talk, o Options) error {
	if err := t.underWay("busy", o); err != nil {
		return err
	}
	var nothing emptypb.Empty
	ctx, cancel := context.WithTimeout(ctx, host.StopTimeout)
	defer cancel()
	err := p.Conn.Invoke(ctx, "/plugin.GRPCController/Shutdown", &nothing, &nothing)
	if status.Code(err) == codes.Unimplemented {
		return err
	}
	return p.Gone(ctx, host.StopTimeout) // it may have been too quick to answer
}
