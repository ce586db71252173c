package dispatch

import (
	"cmp"
	"slices"
	"time"

	"github.com/event-gateway/gateway/gateway/dispatch/attempt"
	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/store"
)

// Runs are the attempts under way, newest delivery first.
func (d *Dispatcher) Runs() []attempt.Run {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]attempt.Run, 0, len(d.running))
	for _, r := range d.running {
		list = append(list, r.shown())
	}
	slices.SortFunc(list, func(a, b attempt.Run) int { return cmp.Compare(b.Seq, a.Seq) })
	return list
}

// RunOf is the attempt of a delivery that is under way, if one is.
func (d *Dispatcher) RunOf(seq int64) (attempt.Run, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.running[seq]
	if r == nil {
		return attempt.Run{}, false
	}
	return r.shown(), true
}

// shown is called with the lock.
func (r *run) shown() attempt.Run {
	return attempt.Run{
		Seq: r.d.Seq, EventID: r.d.EventID, ID: r.d.RunID, Route: r.d.Route,
		Engine: r.rule.Engine, Workflow: r.rule.Workflow, Process: r.process,
		Attempt: r.number, Started: r.started, Deadline: r.deadline, Cancelled: !r.cancelled.IsZero(),
		Waiting: r.waiting, Question: r.question, Progress: r.progress,
	}
}

// Answer hands a person's answer, one JSON value, to a run that waits for it.
// The run goes on at once; what the engine makes of the answer is an update
// like any other. An engine that ends before it has taken the answer will ask
// again. The error is store.ErrNotFound when no such run is under way,
// store.ErrState when it does not wait, or the engine's.
func (d *Dispatcher) Answer(seq int64, answer []byte) error {
	d.mu.Lock()
	r := d.running[seq]
	if err := answerable(r); err != nil {
		d.mu.Unlock()
		return err
	}
	// Before the engine has it: what it says next must not be undone by this.
	question := r.question
	d.unpark(r)
	c := r.goesOn(store.Running)
	d.mu.Unlock()
	if c != nil {
		d.record(c)
	}
	err := r.engine.Answer(r.d.ID(), answer)
	if err != nil {
		d.update(r, engine.Update{Kind: engine.Waiting, Prompt: question.Prompt, Schema: question.Schema})
	}
	return err
}

func answerable(r *run) error {
	switch {
	case r == nil || r.ended:
		return store.ErrNotFound
	case !r.waiting || !r.cancelled.IsZero():
		return store.ErrState
	}
	return nil
}

// Cancel asks a run to end, for a person: however the attempt ends, unless
// with success, it is the delivery's last. The error is store.ErrNotFound when
// no such run is under way.
func (d *Dispatcher) Cancel(seq int64) error {
	d.mu.Lock()
	r := d.running[seq]
	if r == nil || r.ended {
		d.mu.Unlock()
		return store.ErrNotFound
	}
	r.unwanted = true
	if r.cancelled.IsZero() {
		r.cancelled = time.Now()
	}
	d.mu.Unlock()
	r.engine.Cancel(r.d.ID(), "a person cancelled it")
	return nil
}
