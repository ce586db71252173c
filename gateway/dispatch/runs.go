package dispatch

import (
	"cmp"
	"slices"
	"time"

	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/store"
)

// Run is an attempt under way, as people see it.
type Run struct {
	// Seq and EventID name the delivery and its event, ID what the engine calls
	// the run.
	Seq         int64
	EventID, ID string
	Route       string
	// Engine and Workflow that run it, and the engine's process.
	Engine, Workflow, Process string
	// Attempt counts from 1.
	Attempt  int
	Started  time.Time
	Deadline time.Time // zero without one, and while it waits
	// Cancelled: it was asked to end, by a person or because its time was up.
	Cancelled bool
	// Waiting for an answer to Question.
	Waiting  bool
	Question Question
	Progress Progress
}

// Progress is what a run said last about how far it is; zero when it has not.
type Progress struct {
	Step, Message string
	// Fraction from 0 to 1; negative when unknown.
	Fraction float64
	At       time.Time
}

// Question is what a waiting run wants to know.
type Question struct {
	Prompt string
	// Schema is a JSON Schema of the answer; empty when anything goes.
	Schema []byte
	At     time.Time
}

// Runs are the attempts under way, newest delivery first.
func (d *Dispatcher) Runs() []Run {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]Run, 0, len(d.running))
	for _, r := range d.running {
		list = append(list, r.shown())
	}
	slices.SortFunc(list, func(a, b Run) int { return cmp.Compare(b.Seq, a.Seq) })
	return list
}

// RunOf is the attempt of a delivery that is under way, if one is.
func (d *Dispatcher) RunOf(seq int64) (Run, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.running[seq]
	if r == nil {
		return Run{}, false
	}
	return r.shown(), true
}

// shown is called with the lock.
func (r *run) shown() Run {
	return Run{
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
