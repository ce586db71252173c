package dispatch

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/store"
)

// start begins an attempt, or asks first what became of an earlier one.
func (d *Dispatcher) start(ctx context.Context, it *item) {
	if it.unsure && it.engine.Describe().CanGet {
		d.work.Go(func() { d.attach(ctx, it) })
		return
	}
	d.call(it)
}

func (d *Dispatcher) call(it *item) {
	d.mu.Lock()
	now := time.Now()
	it.begin(now)
	call := engine.Call{
		Key: it.d.ID(), Workflow: it.q.rule.Workflow, Event: it.d.Event, Input: it.d.Input,
		Attempt: it.d.Attempt + 1, Deadline: it.deadline, FirstAttemptAt: it.d.FirstAttemptAt,
	}
	d.mu.Unlock()
	err := it.engine.Run(call, func(u engine.Update) { d.update(it, u) })
	var tooLarge *engine.TooLargeError
	switch {
	case err == nil:
	case errors.As(err, &tooLarge):
		d.update(it, engine.Update{Kind: engine.Failed, Failure: engine.Permanent, Message: err.Error()})
	default:
		// Down, busy, or still busy with this key: no attempt, wait a little.
		d.mu.Lock()
		it.d.Due = now.Add(tickTime)
		d.back(it)
		d.mu.Unlock()
	}
}

func (it *item) begin(now time.Time) {
	it.started = now
	if it.d.FirstAttemptAt.IsZero() {
		it.d.FirstAttemptAt = now
	}
	timeout := it.q.rule.Timeout
	if timeout == 0 {
		timeout = it.lane.Timeout
	}
	if timeout > 0 {
		it.deadline = now.Add(timeout)
	}
}

// attachTime bounds the question what became of a run.
const attachTime = 10 * time.Second

// attach takes up a run that was under way when its stream or the gateway
// went away. What the engine does not know is started again, with its key.
func (d *Dispatcher) attach(ctx context.Context, it *item) {
	ctx, cancel := context.WithTimeout(ctx, attachTime)
	defer cancel()
	d.mu.Lock()
	it.begin(time.Now())
	it.unsure = false
	d.mu.Unlock()
	u, err := it.engine.Attach(ctx, it.d.ID(), it.runID, func(u engine.Update) { d.update(it, u) })
	switch {
	case err != nil:
		d.mu.Lock()
		it.unsure = true
		it.d.Due = time.Now().Add(tickTime)
		d.back(it)
		d.mu.Unlock()
		d.signal()
	case u.Kind == engine.Unknown:
		d.call(it)
	case u.Kind == engine.Running:
	default:
		d.update(it, u)
	}
}

// update is told by the engine what became of a run.
func (d *Dispatcher) update(it *item, u engine.Update) {
	d.mu.Lock()
	change := d.learn(it, u)
	d.mu.Unlock()
	if change != nil {
		d.opts.Store.Record(change)
	}
	if u.Kind.Final() || u.Kind == engine.Waiting {
		d.signal()
	}
}

// learn changes what memory holds and returns what is to be written.
func (d *Dispatcher) learn(it *item, u engine.Update) *store.Change {
	if d.running[it.d.Seq] != it {
		return nil // given up after its time-out
	}
	if u.Process != "" {
		it.process = u.Process
	}
	switch u.Kind {
	case engine.Accepted:
		it.runID, it.marked = u.RunID, true
		return it.goesOn(store.Running)
	case engine.Waiting:
		return d.waits(it, u)
	case engine.Lost:
		if it.discarded {
			d.unstart(it)
			d.leave(it)
			return nil
		}
		it.unsure = true
		d.back(it)
		d.opts.Log.Info("run lost; it will be asked for or started again",
			zap.String("event", it.d.EventID), zap.String("route", it.d.Route), zap.String("delivery", it.d.ID()), zap.String("why", u.Message))
		return nil
	case engine.Succeeded, engine.Failed:
		return d.finish(it, u)
	}
	if it.waiting {
		it.waiting = false
		it.lane.running++
	}
	return nil
}

// goesOn is the change for an attempt that has begun and not ended.
func (it *item) goesOn(state store.State) *store.Change {
	c := it.change(state, it.d.Due)
	c.Claimed = true
	c.Attempt = store.Attempt{Number: it.d.Attempt + 1, Started: it.started, Process: it.process}
	return c
}

// waits parks a run without a place of its engine's and without a time-out.
func (d *Dispatcher) waits(it *item, u engine.Update) *store.Change {
	if !it.waiting {
		it.waiting = true
		it.lane.running--
	}
	it.deadline, it.marked = time.Time{}, true
	c := it.goesOn(store.Waiting)
	c.Attempt.Message = u.Prompt
	return c
}

// finish ends an attempt.
func (d *Dispatcher) finish(it *item, u engine.Update) *store.Change {
	now := time.Now()
	d.unstart(it)
	out := outcome(it, u)
	d.opts.Observe(Observation{Route: it.d.Route, Engine: it.q.rule.Engine, Outcome: out, Took: now.Sub(it.started)})
	if it.discarded {
		d.leave(it)
		return nil
	}
	it.d.Attempt++
	if out == throttled {
		it.d.Throttled++
	}
	it.d.Last = store.Attempt{
		Number: it.d.Attempt, Started: it.started, Ended: now, Outcome: out,
		Message: clip(u.Message), Output: u.Output, Process: it.process,
	}
	c := it.change(store.Succeeded, it.d.Due)
	c.AttemptEnded = true
	switch due, again := it.q.rule.Retry.next(it.d, u, out, now); {
	case u.Kind == engine.Succeeded:
		d.leave(it)
	case again:
		d.retry(it, c, due)
	default:
		c.State = store.Dead
		c.Emit = d.deadLetter(it)
		d.leave(it)
	}
	return c
}

// leave drops an item and lets the next of its key go. Strict order needs no
// wait for the commit: commits keep the order too.
func (d *Dispatcher) leave(it *item) {
	d.drop(it)
	d.offer(it.q, it.g)
	d.tidy(it.q, it.g)
}

// retry schedules the next attempt. A strict route keeps it in memory, at the
// head of its key; any other leaves it to the store until it is due.
func (d *Dispatcher) retry(it *item, c *store.Change, due time.Time) {
	c.State, c.Due = store.Pending, due
	it.d.State, it.d.Due = store.Pending, due
	it.runID, c.RunID = "", ""
	d.opts.Log.Info("attempt failed", zap.String("event", it.d.EventID), zap.String("route", it.d.Route),
		zap.Int("attempt", it.d.Attempt), zap.String("outcome", it.d.Last.Outcome), zap.String("message", it.d.Last.Message),
		zap.Time("next", due))
	if it.q.rule.Strict && it.q.lane != nil {
		c.Claimed = true
		it.marked, it.unsure = false, false
		it.started, it.deadline, it.cancelled = time.Time{}, time.Time{}, time.Time{}
		it.g.items = append([]*item{it}, it.g.items...)
		d.offer(it.q, it.g)
		return
	}
	if it.q.nextDue.IsZero() || due.Before(it.q.nextDue) {
		it.q.nextDue = due
	}
	d.leave(it)
}
