package servertest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// queue is where the workflows of these tests are worked on.
const queue = "orders"

// quiet keeps the SDK from printing.
func quiet() client.Options {
	return client.Options{Logger: log.NewStructuredLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))}
}

func register(r worker.Registry) {
	for name, f := range map[string]any{
		"Echo": echo, "Nothing": nothing, "Fail": fail, "Hang": hang, "Stubborn": stubborn, "Again": again, "Collect": collect,
	} {
		r.RegisterWorkflowWithOptions(f, workflow.RegisterOptions{Name: name})
	}
	r.RegisterActivity(decline)
}

// echo returns its input.
func echo(_ workflow.Context, in any) (any, error) { return in, nil }

func nothing(workflow.Context) error { return nil }

// fail fails for good, or not, in an activity.
func fail(ctx workflow.Context, in struct{ Final bool }) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
	})
	return workflow.ExecuteActivity(ctx, decline, in.Final).Get(ctx, nil)
}

func decline(_ context.Context, final bool) error {
	if final {
		return temporal.NewNonRetryableApplicationError("card declined", "CardDeclined", nil)
	}
	return errors.New("the bank is closed")
}

// hang waits for the signal `go`, and returns what came with it.
func hang(ctx workflow.Context) (any, error) {
	var in any
	s := workflow.NewSelector(ctx)
	var err error
	s.AddReceive(workflow.GetSignalChannel(ctx, "go"), func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, &in) })
	s.AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) { err = ctx.Err() })
	s.Select(ctx)
	return in, err
}

// stubborn ends when it is cancelled, but not before the signal `go`.
func stubborn(ctx workflow.Context) error {
	ctx.Done().Receive(ctx, nil)
	after, _ := workflow.NewDisconnectedContext(ctx)
	workflow.GetSignalChannel(ctx, "go").Receive(after, nil)
	return ctx.Err()
}

// again continues as new until it has counted down.
func again(ctx workflow.Context, in struct{ Left int }) (string, error) {
	if in.Left > 0 {
		in.Left--
		return "", workflow.NewContinueAsNewError(ctx, "Again", in)
	}
	return "arrived", nil
}

// collect returns what the signals `item` brought, at the item "end".
func collect(ctx workflow.Context) ([]string, error) {
	var got []string
	for c := workflow.GetSignalChannel(ctx, "item"); ; {
		var in struct{ Item string }
		c.Receive(ctx, &in)
		if got = append(got, in.Item); in.Item == "end" {
			return got, nil
		}
	}
}
