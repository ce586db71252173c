package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/event-gateway/gateway/plugins/sdk/batch"
	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// run is one run under way.
type run struct {
	request Request
	runs    *runs
	cancel  context.CancelCauseFunc

	// The rest is guarded by runs.mu.

	due      time.Time     // when its time is up; zero: never, or not now
	left     time.Duration // until then, while the deadline stands still
	out      *stream       // nil when the connection it reported to is gone
	runID    string
	prompt   *enginev1.Waiting
	answers  chan json.RawMessage // while it waits
	stopping bool
	next     func() // the same key, started again while this one was stopping
}

// runs are all runs under way, by key: there are never two with one key.
type runs struct {
	// keep lets runs go on when their stream ends; see Getter.
	keep bool

	mu        sync.Mutex
	live      map[string]*run
	deadlines deadlines
	newest    *stream
	closed    bool
	drained   chan struct{} // closed when closed and nothing is live
}

// stream is one connection's Run call: where updates go.
type stream struct {
	pending atomic.Int64  // runs that will still report here
	idle    chan struct{} // told when pending may have become 0
	ended   bool          // guarded by runs.mu
	out     enginev1.EngineService_RunServer
	outbox  *batch.Outbox
}

func newStream(out enginev1.EngineService_RunServer) *stream {
	st := &stream{idle: make(chan struct{}, 1), out: out}
	st.outbox = batch.NewOutbox(out, st.left)
	return st
}

// over is called with runs.mu held. A message can be read from a stream that
// is cancelled already, whose place another one may have taken.
func (st *stream) over() bool {
	return st != nil && (st.ended || st.out.Context().Err() != nil)
}

// left: so many runs will not report here any more.
func (st *stream) left(runs int64) {
	if st != nil && st.pending.Add(-runs) == 0 {
		select {
		case st.idle <- struct{}{}:
		default:
		}
	}
}

// wait blocks until every run has reported or ctx ends.
func (st *stream) wait(ctx context.Context) {
	for st.pending.Load() > 0 {
		select {
		case <-st.idle:
		case <-ctx.Done():
			return
		}
	}
}

// work does a run and tells how it ended.
type work func(ctx context.Context, r *run) *enginev1.RunUpdate

// start begins a run in a goroutine of its own, or attaches st to the run
// with this key that is under way. One that is being stopped is waited for.
func (rs *runs) start(st *stream, r *run, do work) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.closed || st.over() {
		return
	}
	if old := rs.live[r.request.Key]; old != nil {
		rs.again(old, st, func() { rs.start(st, r, do) })
		return
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	r.runs, r.request.run, r.cancel = rs, r, cancel
	rs.live[r.request.Key] = r
	rs.attach(r, st)
	if due := r.request.Deadline; !due.IsZero() {
		rs.expire(r, time.Until(due))
	}
	go execute(ctx, r, do)
}

// again is called with rs.mu held.
func (rs *runs) again(old *run, st *stream, start func()) {
	rs.move(old, st)
	if old.stopping {
		old.next = start
		return
	}
	runID, prompt := old.runID, old.prompt
	go func() { // a full connection must not keep us from reading it
		if runID != "" {
			old.accept(runID)
		}
		if prompt != nil {
			old.emit(&enginev1.RunUpdate{Update: &enginev1.RunUpdate_Waiting{Waiting: prompt}})
		}
	}()
}

// attach is called with rs.mu held.
func (rs *runs) attach(r *run, st *stream) {
	r.out = st
	if st != nil {
		st.pending.Add(1)
	}
}

// move makes st, on which a command for r came, the stream that hears of r:
// whoever gives commands must learn what they did, and the stream of before may
// be broken without our knowing yet. It is called with rs.mu held.
func (rs *runs) move(r *run, st *stream) {
	if r.out == st || st.over() {
		return
	}
	r.out.left(1)
	rs.attach(r, st)
}

// finish sends how the run ended, unless the key was started again meanwhile:
// then this end is none of the gateway's business any more.
func (rs *runs) finish(r *run, end *enginev1.RunUpdate) {
	rs.mu.Lock()
	delete(rs.live, r.request.Key)
	out, next := r.out, r.next
	if rs.closed && len(rs.live) == 0 {
		close(rs.drained)
	}
	rs.mu.Unlock()

	r.cancel(nil)
	if next != nil {
		next()
		out.left(1)
		return
	}
	if out != nil {
		end.Key = r.request.Key
		out.outbox.SendEnd(end) // and it has left
	}
}

// halt cancels a run; it ends when its engine returns. It is called with
// runs.mu held.
func (r *run) halt(cause error) {
	r.stopping, r.next = true, nil
	r.cancel(cause)
}

// stopKey cancels the run with this key, if there is one, for st.
func (rs *runs) stopKey(st *stream, key string, cause error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r := rs.live[key]; r != nil {
		rs.move(r, st)
		r.halt(cause)
	}
}

// open makes st the stream that orphaned runs report to.
func (rs *runs) open(out enginev1.EngineService_RunServer) *stream {
	st := newStream(out)
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.newest = st
	for _, r := range rs.live {
		if r.out == nil && !r.stopping {
			rs.attach(r, st)
		}
	}
	return st
}

var errDeadline = fmt.Errorf("the run's time is up: %w", context.DeadlineExceeded)

var errDisconnected = errors.New("the gateway disconnected")

// end orphans the runs of a stream, or stops them.
func (rs *runs) end(st *stream) {
	st.outbox.Close()
	rs.mu.Lock()
	defer rs.mu.Unlock()
	st.ended = true
	if rs.newest == st {
		rs.newest = nil
	}
	for _, r := range rs.live {
		if r.out != st {
			continue
		}
		r.out, r.next = nil, nil
		switch {
		case !rs.keep:
			r.halt(errDisconnected)
		case rs.newest != nil && !r.stopping: // it was there before this one ended
			rs.attach(r, rs.newest)
		}
	}
}

// ErrShutdown is the cause of a context that ends because the engine stops:
// nobody gave the run up, and an engine that hands over to a system of its own
// leaves it alone there.
var ErrShutdown = errors.New("the engine is shutting down")

// close stops everything and waits until it has stopped, at most for grace.
func (rs *runs) close(grace time.Duration) {
	rs.mu.Lock()
	for _, r := range rs.live {
		r.halt(ErrShutdown)
	}
	if !rs.closed && len(rs.live) == 0 {
		close(rs.drained)
	}
	rs.closed = true
	rs.mu.Unlock()
	select {
	case <-rs.drained:
	case <-time.After(grace):
	}
}
