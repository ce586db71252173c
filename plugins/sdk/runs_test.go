package sdk

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestEnds(t *testing.T) {
	boom := errors.New("boom")
	tests := []struct {
		name string
		run  Func
		want string
	}{
		{"nil", func(context.Context, *Request) (Result, error) { return Result{}, nil }, "k succeeded "},
		{"output", func(_ context.Context, r *Request) (Result, error) {
			return Result{Output: map[string]int{"attempt": r.Attempt}}, nil
		}, `k succeeded {"attempt":1}`},
		{"error", func(context.Context, *Request) (Result, error) { return Result{}, boom }, "k retryable boom"},
		{"permanent", func(context.Context, *Request) (Result, error) {
			return Result{}, fmt.Errorf("deep: %w", Permanent(boom))
		}, "k permanent deep: boom"},
		{"throttled", func(context.Context, *Request) (Result, error) {
			return Result{}, RetryAfter(boom, time.Minute)
		}, "k throttled boom"},
		{"panic", func(context.Context, *Request) (Result, error) { panic("ouch") }, "k retryable panic: ouch"},
		{"goexit", func(context.Context, *Request) (Result, error) {
			runtime.Goexit()
			return Result{}, nil
		}, "k retryable the run's goroutine exited"},
		{"output that isn't JSON", func(context.Context, *Request) (Result, error) {
			return Result{Output: func() {}}, nil
		}, "k permanent output: json: unsupported type: func()"},
		{"output too large", func(context.Context, *Request) (Result, error) {
			return Result{Output: strings.Repeat("x", 1<<20)}, nil
		}, "k permanent output: 1048578 bytes are more than the 1048576 that may be sent"},
		{"not UTF-8", func(context.Context, *Request) (Result, error) {
			return Result{}, errors.New("\xff!")
		}, "k retryable \uFFFD!"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			serve(t, tt.run, func(t *testing.T, s *service) {
				f := connect(s)
				defer f.drop()
				f.start("k")
				want(t, f.heard(), tt.want)
			})
		})
	}
}

func TestRetryAfterIsSent(t *testing.T) {
	f := failed(t.Context(), RetryAfter(errors.New("full"), 90*time.Second)).Failed
	if got := f.RetryAfter.AsDuration(); got != 90*time.Second {
		t.Errorf("retry after %s", got)
	}
	if Permanent(nil) != nil || RetryAfter(nil, time.Second) != nil {
		t.Error("no error has become one")
	}
}

func TestStartWithoutKey(t *testing.T) {
	engine := Func(func(context.Context, *Request) (Result, error) { return Result{}, nil })
	serve(t, engine, func(t *testing.T, s *service) {
		f := connect(s)
		defer f.drop()
		f.start("")
		want(t, f.heard(), " permanent start without a key")
	})
}

// gate is an engine whose runs go on until they are let go or cancelled, and
// then for as long as slow says.
type gate struct {
	open    chan struct{}
	slow    time.Duration
	started atomic.Int32
}

// enter makes the channel in the test's bubble.
func (g *gate) enter() { g.open = make(chan struct{}) }

func (g *gate) Run(ctx context.Context, r *Request) (Result, error) {
	r.Accept(fmt.Sprintf("run-%d", g.started.Add(1)))
	select {
	case <-g.open:
		return Result{Output: r.Attempt}, nil
	case <-ctx.Done():
		time.Sleep(g.slow)
		return Result{}, ctx.Err()
	}
}

func TestSameKeyAttaches(t *testing.T) {
	g := &gate{}
	serve(t, g, func(t *testing.T, s *service) {
		f := connect(s)
		defer f.drop()
		f.start("k")
		f.start("k")
		want(t, f.heard(), "k accepted run-1", "k accepted run-1")
		close(g.open)
		want(t, f.heard(), "k succeeded 1")
	})
}

func TestCancel(t *testing.T) {
	serve(t, &gate{}, func(t *testing.T, s *service) {
		f := connect(s)
		defer f.drop()
		f.start("k")
		f.cancelRun("other")
		want(t, f.heard(), "k accepted run-1")
		f.cancelRun("k")
		want(t, f.heard(), "k retryable cancelled by the gateway: a test")
	})
}

func TestDeadline(t *testing.T) {
	serve(t, &gate{}, func(t *testing.T, s *service) {
		f := connect(s)
		defer f.drop()
		f.start("k", func(m *enginev1.Start) { m.Deadline = timestamppb.New(time.Now().Add(time.Minute)) })
		time.Sleep(59 * time.Second)
		want(t, f.heard(), "k accepted run-1")
		time.Sleep(2 * time.Second)
		want(t, f.heard(), "k retryable the run's time is up: context deadline exceeded")
	})
}

// A key that comes again while its run is being stopped starts when that one
// has ended, whose end is not reported.
func TestStartWhileStopping(t *testing.T) {
	g := &gate{slow: time.Second}
	serve(t, g, func(t *testing.T, s *service) {
		f := connect(s)
		defer f.drop()
		f.start("k")
		f.cancelRun("k")
		f.start("k", func(m *enginev1.Start) { m.Attempt = 2 })
		want(t, f.heard(), "k accepted run-1")
		if n := g.started.Load(); n != 1 {
			t.Fatalf("%d runs with one key", n)
		}
		time.Sleep(time.Second)
		want(t, f.heard(), "k accepted run-2")
		close(g.open)
		want(t, f.heard(), "k succeeded 2")
	})
}

func TestCancelOfStartWhileStopping(t *testing.T) {
	g := &gate{slow: time.Second}
	serve(t, g, func(t *testing.T, s *service) {
		f := connect(s)
		defer f.drop()
		f.start("k")
		f.cancelRun("k")
		f.start("k")
		f.cancelRun("k")
		f.heard()
		time.Sleep(time.Second)
		want(t, f.heard(), "k retryable cancelled by the gateway: a test")
		if n := g.started.Load(); n != 1 {
			t.Errorf("started %d times", n)
		}
	})
}

func TestStreamEndStopsRuns(t *testing.T) {
	g := &gate{slow: time.Second}
	serve(t, g, func(t *testing.T, s *service) {
		first := connect(s)
		first.start("k")
		first.drop()
		second := connect(s)
		defer second.drop()
		second.start("k", func(m *enginev1.Start) { m.Attempt = 2 })
		time.Sleep(time.Second)
		want(t, second.heard(), "k accepted run-2")
		close(g.open)
		want(t, second.heard(), "k succeeded 2")
	})
}

// A start that is read late from a stream which is gone must not take the run
// away from the stream that has its place.
func TestLateStart(t *testing.T) {
	g := &gate{}
	serve(t, g, func(t *testing.T, s *service) {
		gone, here := connect(s), connect(s)
		defer here.drop()
		here.start("k")
		gone.cancel()
		st := newStream(gone)
		s.runs.start(st, &run{request: Request{Key: "k"}}, s.run)
		s.runs.end(st)
		close(g.open)
		want(t, here.heard(), "k accepted run-1", "k succeeded 1")
	})
}

// Half a close is how the gateway says that it only waits for the rest.
func TestHalfClose(t *testing.T) {
	g := &gate{}
	serve(t, g, func(t *testing.T, s *service) {
		f := connect(s)
		f.start("k")
		close(f.in)
		synctest.Wait()
		select {
		case <-f.done:
			t.Fatal("the stream ended before its runs")
		default:
		}
		close(g.open)
		<-f.done
		want(t, f.heard(), "k accepted run-1", "k succeeded 1")
	})
}

func TestCloseWaitsForRuns(t *testing.T) {
	serve(t, &gate{slow: 2 * time.Second}, func(t *testing.T, s *service) {
		f := connect(s)
		defer f.drop()
		f.start("k")
		began := time.Now()
		s.runs.close(stopGrace)
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("took %s, want the two seconds of the run", took)
		}
		want(t, f.heard(), "k accepted run-1", "k retryable the engine is shutting down")
		f.start("too-late")
		want(t, f.heard())
	})
}

func TestCloseGivesUp(t *testing.T) {
	serve(t, &gate{slow: time.Minute}, func(t *testing.T, s *service) {
		f := connect(s)
		defer f.drop()
		f.start("k")
		began := time.Now()
		s.runs.close(stopGrace)
		if took := time.Since(began); took != stopGrace {
			t.Errorf("took %s", took)
		}
		time.Sleep(time.Minute)
	})
}
