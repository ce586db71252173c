package sdk

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/event-gateway/gateway/plugins/sdk/batch"
	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

func start(key string) *enginev1.Command {
	return &enginev1.Command{Command: &enginev1.Command_Start{Start: &enginev1.Start{Key: key, Workflow: "w", Attempt: 1}}}
}

func starts(n int) []*enginev1.Command {
	var out []*enginev1.Command
	for i := range n {
		out = append(out, start(strconv.Itoa(i)))
	}
	return out
}

// One message can hold both ends of a story.
func TestCommandsInOrder(t *testing.T) {
	serve(t, &gate{}, func(t *testing.T, s *service) {
		f := connect(s)
		defer f.drop()
		f.say(start("a"), start("b"), &enginev1.Command{Command: &enginev1.Command_Cancel{
			Cancel: &enginev1.Cancel{Key: "a", Reason: "a test"},
		}})
		got := f.heard()
		if !slices.Contains(got, "a retryable cancelled by the gateway: a test") || len(got) != 3 {
			t.Errorf("got %q", got)
		}
	})
}

// What gathers while the connection is full is one message once it isn't.
func TestEndsTravelTogether(t *testing.T) {
	g := &gate{}
	serve(t, g, func(t *testing.T, s *service) {
		f := connect(s)
		defer f.drop()
		n := cap(f.out) + 20
		f.say(starts(n)...)
		before := f.messages.Load()
		close(g.open)
		synctest.Wait()
		for range 2 * n {
			<-f.out
		}
		if n := f.messages.Load() - before; n != 1 {
			t.Errorf("all ends in %d messages", n)
		}
	})
}

// A run that reports faster than the connection takes it has to wait, and is
// let go when the connection breaks.
func TestFloodIsHeldBack(t *testing.T) {
	var told atomic.Int32
	engine := Func(func(ctx context.Context, r *Request) (Result, error) {
		for ; ctx.Err() == nil; told.Add(1) {
			r.Progress("step", "", 0)
		}
		return Result{}, ctx.Err()
	})
	serve(t, engine, func(t *testing.T, s *service) {
		f := connect(s)
		f.start("k")
		if n := told.Load(); n < 4096 || n > 4096+batch.MaxLen+int32(cap(f.out)) {
			t.Errorf("%d updates were taken", n)
		}
		f.drop()
		<-f.done
	})
}

// The stream is not ended before the connection has taken the last update.
func TestHalfCloseWaitsForWhatIsQueued(t *testing.T) {
	engine := Func(func(_ context.Context, r *Request) (Result, error) {
		for range r.Attempt {
			r.Progress("step", "", 0)
		}
		return Result{}, nil
	})
	serve(t, engine, func(t *testing.T, s *service) {
		f := connect(s)
		n := cap(f.out) // of them fit, and not the end
		f.start("k", func(m *enginev1.Start) { m.Attempt = int32(n) })
		close(f.in)
		synctest.Wait()
		select {
		case <-f.done:
			t.Fatal("the stream ended with an update that was not sent")
		default:
		}
		for range n + 1 {
			<-f.out
		}
		<-f.done
	})
}

func TestDeadlinesOfMany(t *testing.T) {
	var ended chan time.Duration // made in the bubble
	engine := Func(func(ctx context.Context, r *Request) (Result, error) {
		<-ctx.Done()
		ended <- time.Since(r.Deadline)
		return Result{}, ctx.Err()
	})
	serve(t, engine, func(t *testing.T, s *service) {
		ended = make(chan time.Duration)
		f := connect(s)
		defer f.drop()
		for i, in := range []time.Duration{9 * time.Second, time.Second, 1001 * time.Millisecond, 0, -time.Hour, 3 * time.Second} {
			f.start(fmt.Sprint(i), func(m *enginev1.Start) { m.Deadline = timestamppb.New(time.Now().Add(in)) })
		}
		for range 6 {
			if late := <-ended % time.Hour; late < 0 || late > sweepPause {
				t.Errorf("stopped %s after its deadline", late)
			}
		}
	})
}
