package sdk

import (
	"context"
	"errors"
	"testing"
	"time"
)

// follower is an engine whose runs go on elsewhere.
type follower struct {
	durable
}

func (d *follower) Follow(ctx context.Context, r *Request, runID string) (Result, error) {
	r.Accept(runID + "'")
	select {
	case <-d.open:
		return Result{Output: r.Key + " " + runID}, nil
	case <-ctx.Done():
		return Result{}, context.Cause(ctx)
	}
}

func TestFollower(t *testing.T) {
	d := &follower{durable: durable{state: State{Status: Running, RunID: "r7"}}}
	serve(t, d, func(t *testing.T, s *service) {
		f := connect(s)
		defer f.drop()
		if got := state(t, s, "k"); got != "running r7" {
			t.Fatalf("state %q", got)
		}
		time.Sleep(time.Hour)
		want(t, f.heard(), "k accepted r7'")
		if n := d.times(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		close(d.open)
		want(t, f.heard(), `k succeeded "k r7"`)
	})
}

// What people give up is given up over there too; what stops with the engine
// is not.
func TestFollowerHearsWhy(t *testing.T) {
	heard := make(chan error, 2)
	d := &teller{follower{durable: durable{state: State{Status: Running, RunID: "r7"}}}, heard}
	serve(t, d, func(t *testing.T, s *service) {
		f := connect(s)
		defer f.drop()
		state(t, s, "k")
		f.cancelRun("k")
		want(t, f.heard(), "k accepted r7'", "k retryable cancelled by the gateway: a test")
		if err := <-heard; errors.Is(err, ErrShutdown) {
			t.Errorf("cancelled: heard %v", err)
		}
		state(t, s, "k")
	})
	if err := <-heard; !errors.Is(err, ErrShutdown) {
		t.Errorf("stopped: heard %v", err)
	}
}

// teller tells why its runs ended.
type teller struct {
	follower
	heard chan error
}

func (d *teller) Follow(ctx context.Context, r *Request, runID string) (Result, error) {
	result, err := d.follower.Follow(ctx, r, runID)
	d.heard <- err
	return result, err
}
