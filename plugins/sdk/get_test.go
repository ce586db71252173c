package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/event-gateway/gateway/plugins/sdk/message"
	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// asker is an engine whose runs ask one question.
type asker struct{}

func (asker) Run(ctx context.Context, r *Request) (Result, error) {
	answer, err := r.Wait(ctx, Prompt{Text: "really?", Schema: json.RawMessage(`{"type":"boolean"}`)})
	return Result{Output: answer}, err
}

func TestWait(t *testing.T) {
	serve(t, asker{}, func(t *testing.T, s *service) {
		f := connect(s)
		defer f.drop()
		f.start("k")
		want(t, f.heard(), "k waiting really?")
		if got := state(t, s, "k"); got != "waiting" {
			t.Errorf("state %q", got)
		}
		f.answer("k", "true")
		want(t, f.heard(), "k succeeded true")
	})
}

// An answer may take days. What was left of the time is left afterwards.
func TestDeadlineStandsStillWhileWaiting(t *testing.T) {
	engine := Func(func(ctx context.Context, r *Request) (Result, error) {
		time.Sleep(20 * time.Second)
		if _, err := r.Wait(ctx, Prompt{Text: "go on?"}); err != nil {
			return Result{}, err
		}
		<-ctx.Done()
		return Result{}, ctx.Err()
	})
	serve(t, engine, func(t *testing.T, s *service) {
		f := connect(s)
		defer f.drop()
		f.start("k", func(m *enginev1.Start) { m.Deadline = timestamppb.New(time.Now().Add(time.Minute)) })
		time.Sleep(72 * time.Hour)
		want(t, f.heard(), "k waiting go on?")
		f.answer("k", "true")
		time.Sleep(39 * time.Second)
		want(t, f.heard())
		time.Sleep(2 * time.Second)
		want(t, f.heard(), "k retryable the run's time is up: context deadline exceeded")
	})
}

func TestAnswerOfLostRun(t *testing.T) {
	serve(t, asker{}, func(t *testing.T, s *service) {
		f := connect(s)
		defer f.drop()
		f.answer("k", "true")
		want(t, f.heard(), "k retryable no run with this key waits for an answer: the engine was started again since")
	})
}

// durable is an engine that remembers: its runs survive.
type durable struct {
	gate
	mu    sync.Mutex
	state State
	err   error
	asked int
}

func (d *durable) set(s State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state = s
}

func (d *durable) times() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

func (d *durable) Get(context.Context, string, string) (State, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	return d.state, d.err
}

func (d *durable) Answer(_ context.Context, r *Request) (Result, error) {
	return Result{Output: r.Input}, nil
}

// A gateway that connects again may be quicker than the end of its old stream.
func TestRunMovesToAStreamThatWasThereBefore(t *testing.T) {
	serve(t, &durable{}, func(t *testing.T, s *service) {
		first := connect(s)
		first.start("k")
		second := connect(s)
		defer second.drop()
		first.drop()
		second.cancelRun("k")
		want(t, second.heard(), "k retryable cancelled by the gateway: a test")
	})
}

// And so may what it says on the new one: of a cancelled run, and of one that
// had its answer, it must hear all the same.
func TestCommandsBeforeTheOldStreamsEnd(t *testing.T) {
	tests := []struct {
		name   string
		engine Engine
		say    func(second *fakeStream)
		want   string
	}{
		{"cancel", &durable{}, func(f *fakeStream) { f.cancelRun("k") }, "k retryable cancelled by the gateway: a test"},
		{"answer", asker{}, func(f *fakeStream) { f.answer("k", "true") }, "k succeeded true"},
	}
	for _, tt := range tests {
		for _, known := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, broken and known to be: %t", tt.name, known), func(t *testing.T) {
				serve(t, tt.engine, func(t *testing.T, s *service) {
					first := newFakeStream()
					defer first.cancel()
					old := s.runs.open(first)
					s.handle(old, &message.Command{Start: message.Start{Key: "k"}})
					synctest.Wait()
					if known {
						first.cancel()
					}
					second := connect(s)
					defer second.drop()
					tt.say(second)
					s.runs.end(old)
					want(t, second.heard(), tt.want)
				})
			})
		}
	}
}

func TestAnswerAfterRestart(t *testing.T) {
	serve(t, &durable{}, func(t *testing.T, s *service) {
		f := connect(s)
		defer f.drop()
		f.answer("k", `"yes"`)
		want(t, f.heard(), `k succeeded "yes"`)
	})
}

func TestGetterKeepsRuns(t *testing.T) {
	d := &durable{}
	serve(t, d, func(t *testing.T, s *service) {
		first := connect(s)
		first.start("k")
		first.drop()
		if got := state(t, s, "k"); got != "running run-1" {
			t.Errorf("state %q", got)
		}
		second := connect(s)
		defer second.drop()
		close(d.open)
		want(t, second.heard(), "k succeeded 1")
	})
}

func TestGet(t *testing.T) {
	tests := []struct {
		name  string
		state State
		want  string
	}{
		{"unknown", State{}, "unknown"},
		{"waiting", State{Status: Waiting, Prompt: Prompt{Text: "well?"}}, "waiting"},
		{"succeeded", State{Status: Succeeded, Result: Result{Output: 7}}, "succeeded 7"},
		{"failed", State{Status: Failed, Err: Permanent(errors.New("no"))}, "permanent no"},
		{"failed without a reason", State{Status: Failed}, "retryable failed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			serve(t, &durable{state: tt.state}, func(t *testing.T, s *service) {
				if got := state(t, s, "k"); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		})
	}
}

func TestGetError(t *testing.T) {
	s := newService(&durable{err: errors.New("database away")}, 1)
	if _, err := s.Get(t.Context(), &enginev1.GetRequest{Key: "k"}); err == nil {
		t.Error("want an error: nothing is known")
	}
}

// A run that goes on elsewhere is followed, less and less often.
func TestFollow(t *testing.T) {
	d := &durable{state: State{Status: Running, RunID: "r7"}}
	serve(t, d, func(t *testing.T, s *service) {
		f := connect(s)
		defer f.drop()
		if got := state(t, s, "k"); got != "running r7" {
			t.Fatalf("state %q", got)
		}
		time.Sleep(time.Minute)
		want(t, f.heard())
		if n := d.times(); n < 5 || n > 10 {
			t.Errorf("asked %d times in a minute", n)
		}
		d.set(State{Status: Succeeded, Result: Result{Output: "done"}})
		time.Sleep(lastLook)
		want(t, f.heard(), `k succeeded "done"`)
	})
}

func TestGetWithoutGetter(t *testing.T) {
	serve(t, &gate{}, func(t *testing.T, s *service) {
		if got := state(t, s, "k"); got != "unknown" {
			t.Errorf("got %q", got)
		}
	})
}

// state is what Get says, in short form.
func state(t *testing.T, s *service, key string) string {
	t.Helper()
	out, err := s.Get(t.Context(), &enginev1.GetRequest{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	switch st := out.State.(type) {
	case *enginev1.GetResponse_Running:
		return "running " + st.Running.RunId
	case *enginev1.GetResponse_Waiting:
		return "waiting"
	case *enginev1.GetResponse_Succeeded:
		return "succeeded " + string(st.Succeeded.Output)
	case *enginev1.GetResponse_Failed:
		return kinds[st.Failed.Kind] + " " + st.Failed.Message
	}
	return "unknown"
}
