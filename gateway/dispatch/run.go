package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/dispatch/attempt"
	"github.com/event-gateway/gateway/gateway/dispatch/outcome"
	"github.com/event-gateway/gateway/gateway/dispatch/pace"
	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/store"
)

// run is an attempt under way. A new attempt is a new run: what is said about
// an old one, late, cannot be taken for it.
type run struct {
	*item
	g      *group
	rule   *Rule
	lane   *lane
	engine Engine
	// number of the attempt, from 1.
	number int
	// first is when the delivery's first attempt began; cancelled since when
	// this one has been asked to end.
	first, started, deadline, cancelled time.Time
	// start counts by the rate of its route, among starts; nil without one.
	start   pace.Start
	starts  *pace.Starts
	process string
	// marked: the store knows that it goes on. waiting: for an answer; it has
	// no place. ended: nothing more counts; again: it goes back to the head of
	// its key.
	marked, waiting, ended, again bool
	// question while it waits, and how far it said it was.
	question attempt.Question
	progress attempt.Progress
}

func newRun(it *item, g *group, now time.Time) *run {
	l := it.q.lane
	r := &run{item: it, g: g, rule: it.q.rule, lane: l, engine: l.Engine, number: it.d.Attempt + 1, started: now, starts: it.q.starts}
	if r.first = it.d.FirstAttemptAt; r.first.IsZero() {
		r.first = now
	}
	r.arm(now)
	return r
}

// arm starts the time-out.
func (r *run) arm(now time.Time) {
	timeout := r.rule.Timeout
	if timeout == 0 {
		timeout = r.lane.Timeout
	}
	if timeout > 0 {
		r.deadline = now.Add(timeout)
	}
}

// start begins an attempt, or asks first what became of an earlier one.
func (d *Dispatcher) start(ctx context.Context, r *run) {
	switch {
	case r.unsure && r.engine.Describe().CanGet:
		d.work.Go(func() { d.attach(ctx, r) })
	case r.unsure && d.dropped(r):
		d.update(r, engine.Update{Kind: engine.Failed, Message: dropped})
	default:
		d.launch(r)
	}
}

// dropped is what is said of a run that ended with its engine after a person
// had cancelled it.
const dropped = "it ended with its engine"

func (d *Dispatcher) call(r *run) {
	err := r.engine.Run(engine.Call{
		Key: r.d.ID(), Workflow: r.rule.Workflow, Event: r.d.Event, Input: r.d.Input,
		Attempt: r.number, Deadline: r.deadline, FirstAttemptAt: r.first,
	}, func(u engine.Update) { d.update(r, u) })
	var tooLarge *engine.TooLargeError
	switch {
	case err == nil:
	case errors.As(err, &tooLarge):
		d.update(r, engine.Update{Kind: engine.Failed, Failure: engine.Permanent, Message: err.Error()})
	case errors.Is(err, engine.ErrInFlight):
		d.postpone(r)
	default: // down or busy
		d.hold(r)
	}
}

// attachTime bounds the question what became of a run.
const attachTime = 10 * time.Second

// attach takes up a run that was under way when its stream or the gateway
// went away. What the engine does not know is started again, with its key.
func (d *Dispatcher) attach(ctx context.Context, r *run) {
	ctx, cancel := context.WithTimeout(ctx, attachTime)
	defer cancel()
	u, err := r.engine.Attach(ctx, r.d.ID(), r.d.RunID, func(u engine.Update) { d.update(r, u) })
	switch {
	case errors.Is(err, engine.ErrDown) || err != nil && ctx.Err() == context.Canceled:
		d.hold(r)
	case err != nil:
		d.opts.Log.Warn("asking what became of a run", outcome.Fields(r.d, r.number, zap.Error(err))...)
		d.postpone(r)
	case u.Kind == engine.Unknown && d.dropped(r):
		d.update(r, engine.Update{Kind: engine.Failed, Message: dropped})
	case u.Kind == engine.Unknown:
		d.launch(r)
	default:
		d.update(r, u)
		if d.dropped(r) {
			_ = d.Cancel(r.d.Seq) // the process that was asked to end it has gone
		}
	}
}

// dropped tells whether a person wants no more of a run.
func (d *Dispatcher) dropped(r *run) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return r.item.discarded || r.item.unwanted
}

// hold returns a run that has not begun to its place: its engine takes none
// for a moment.
func (d *Dispatcher) hold(r *run) {
	d.back(r, func() { r.lane.pause = time.Now().Add(tickTime) })
}

// back returns a run that has not begun to the head of its key, after something
// was done with the lock.
func (d *Dispatcher) back(r *run, do func()) {
	d.mu.Lock()
	if r.ended {
		d.mu.Unlock()
		return
	}
	r.ended, r.again = true, true
	do()
	r.uncount()
	c := r.waitsAgain()
	d.mu.Unlock()
	if c != nil {
		d.record(c)
	}
	d.end(r)
}

// postpone ends a run that has not begun because of itself and not of its
// engine: others may go first.
func (d *Dispatcher) postpone(r *run) {
	d.mu.Lock()
	if r.ended {
		d.mu.Unlock()
		return
	}
	r.ended = true
	r.uncount()
	c := d.later(r, time.Now().Add(pollTime))
	d.mu.Unlock()
	d.record(c)
	d.end(r)
}

// update is told by the engine what became of a run.
func (d *Dispatcher) update(r *run, u engine.Update) {
	d.mu.Lock()
	if r.ended {
		d.mu.Unlock()
		return
	}
	c := d.learn(r, u)
	ended := r.ended
	d.mu.Unlock()
	if ended {
		d.say(r, u, c)
	}
	if c != nil {
		d.record(c)
	}
	// The next of the key only now: what is recorded of it comes later.
	switch {
	case ended:
		d.end(r)
	case u.Kind == engine.Waiting:
		d.signal()
	}
}

// record has a change of a delivery written, and told to who follows.
func (d *Dispatcher) record(c *store.Change) {
	if then := d.opts.Follow(c); then != nil {
		first := c.Committed
		c.Committed = func() {
			if first != nil {
				first()
			}
			then()
		}
	}
	d.opts.Store.Record(c)
}

// learn changes what memory holds and returns what is to be written.
func (d *Dispatcher) learn(r *run, u engine.Update) *store.Change {
	r.d.FirstAttemptAt = r.first
	if u.Process != "" {
		r.process = u.Process
	}
	switch u.Kind {
	case engine.Succeeded, engine.Failed:
		return d.finish(r, u)
	case engine.Lost:
		if r.discarded {
			r.ended = true
			return nil
		}
		return d.lose(r)
	case engine.Waiting:
		return d.park(r, u)
	case engine.Accepted:
		r.d.RunID = u.RunID
		d.unpark(r)
	default:
		if u.Kind == engine.Progress {
			r.progress = attempt.ProgressOf(u)
		}
		if !d.unpark(r) {
			return nil
		}
	}
	return r.goesOn(store.Running)
}

// goesOn is the change for an attempt that has begun and not ended.
func (r *run) goesOn(state store.State) *store.Change {
	if r.discarded {
		return nil
	}
	r.marked = true
	r.d.FirstAttemptAt = r.first
	c := r.change(state)
	c.Claimed = true
	c.Attempt = store.Attempt{Number: r.number, Started: r.started, Process: r.process}
	return c
}

// park takes a run's place and time-out away while it waits for an answer.
// However many wait, they keep nobody else from running.
func (d *Dispatcher) park(r *run, u engine.Update) *store.Change {
	if !r.waiting {
		r.waiting = true
		r.lane.running--
		d.weigh(r.item, -1)
		d.look(r.q)
	}
	r.deadline = time.Time{}
	r.question = attempt.QuestionOf(u)
	r.lost = 0 // what waits is not what ends its engine, however often that is replaced
	c := r.goesOn(store.Waiting)
	if c != nil {
		c.Attempt.Message = r.question.Prompt
	}
	return c
}

// unpark: a run that waited goes on.
func (d *Dispatcher) unpark(r *run) bool {
	if !r.waiting {
		return false
	}
	r.waiting, r.question = false, attempt.Question{}
	r.lane.running++
	d.weigh(r.item, 1)
	r.arm(time.Now())
	return true
}

// lose sends a run whose engine went away back to be asked for, or started
// again, with its key.
func (d *Dispatcher) lose(r *run) *store.Change {
	if r.lost++; r.lost > maxLost {
		return d.finish(r, engine.Update{Kind: engine.Failed, Message: fmt.Sprintf("the engine went away %d times while this ran", r.lost)})
	}
	r.ended, r.again, r.unsure = true, true, true
	return nil
}

// finish ends an attempt.
func (d *Dispatcher) finish(r *run, u engine.Update) *store.Change {
	r.ended = true
	if r.discarded {
		return nil
	}
	now := time.Now()
	out := outcome.Of(u, r.unwanted, !r.cancelled.IsZero())
	r.d.Attempt = r.number
	if out == outcome.Throttled {
		r.d.Throttled++
	}
	r.d.Last = store.Attempt{
		Number: r.number, Started: r.started, Ended: now, Outcome: out,
		Message: outcome.Clip(u.Message), Output: u.Output, Process: r.process,
	}
	r.unsure, r.lost = false, 0
	var c *store.Change
	if u.Kind == engine.Succeeded {
		c = r.change(store.Succeeded)
	} else if due, again := r.rule.Retry.Next(r.d, u, out, now); again {
		r.d.RunID = ""
		c = d.later(r, due)
	} else {
		c = r.change(store.Dead)
	}
	c.AttemptEnded = true
	return c
}

// later makes a delivery due again. A strict route keeps it in memory, at the
// head of its key; any other leaves it to the store until then.
func (d *Dispatcher) later(r *run, due time.Time) *store.Change {
	r.d.Due = due
	c := r.change(r.state())
	if r.q.lane != nil && r.q.rule.Strict {
		c.Claimed, r.again = true, true
	} else {
		c.Committed = d.returned(r.item)
	}
	return c
}

// end frees a run's place and lets the next of its key go.
func (d *Dispatcher) end(r *run) {
	d.mu.Lock()
	if r.waiting {
		d.unpark(r)
	}
	q := r.q
	delete(d.running, r.d.Seq)
	r.lane.running--
	r.g.running--
	d.weigh(r.item, -1)
	switch {
	case !r.again || r.discarded:
	case q.lane == nil || !q.rule.Strict && r.d.Due.After(time.Now()):
		d.giveBack(r.item) // the plan has changed meanwhile
	default:
		d.add(r.item, true)
	}
	d.offer(r.g)
	d.look(q)
	d.tidy(r.g)
	d.mu.Unlock()
	d.signal()
}

// say tells of a run that has ended, and sends a dead letter with its change.
func (d *Dispatcher) say(r *run, u engine.Update, c *store.Change) {
	if c == nil {
		if u.Kind == engine.Lost {
			d.opts.Log.Info("run lost; unless discarded it will be asked for or started again", outcome.Fields(r.d, r.number, zap.String("why", u.Message))...)
		}
		return
	}
	last := r.d.Last
	d.opts.Observe(Observation{Route: r.d.Route, Engine: r.rule.Engine, Outcome: last.Outcome, Took: last.Ended.Sub(last.Started)})
	outcome.Log(d.opts.Log, c)
	if c.State != store.Dead {
		return
	}
	if letter := outcome.DeadLetter(r.d, r.rule.Engine, r.rule.Workflow); letter != nil {
		c.Emit = d.opts.Route(letter)
	}
}
