package schedule

import (
	"context"
	"fmt"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
)

// MaxBackfill bounds the slots of one backfill.
const MaxBackfill = 1000

// ErrTooMany slots were to be backfilled at once; nothing was fired.
var ErrTooMany = fmt.Errorf("schedule: more than %d slots", MaxBackfill)

// Backfilled is what became of a backfill.
type Backfilled struct {
	// Slots in the interval; those Fired before are not fired again.
	Slots, Fired, Before int
}

// find is a declared schedule; store.ErrNotFound.
func (r *Runner) find(name string) (*Schedule, error) {
	for _, s := range r.schedules() {
		if s.Name() == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("schedule %s: %w", name, store.ErrNotFound)
}

// Pause keeps a schedule from firing, over restarts too, until Resume. It is in
// force when it returns.
func (r *Runner) Pause(ctx context.Context, name string) error {
	return r.change(ctx, name, func(_ *Schedule, st *state, _ time.Time) error {
		st.pos.Paused = true
		return nil
	})
}

// Resume lets a schedule fire again. What came due in between is not made up
// for. One that is paused by its declaration stays so: store.ErrState.
func (r *Runner) Resume(ctx context.Context, name string) error {
	defer r.Wake()
	return r.change(ctx, name, func(s *Schedule, st *state, now time.Time) error {
		switch {
		case s.spec.Paused:
			return fmt.Errorf("schedule %s: %w: paused where it is declared", name, store.ErrState)
		case st.pos.Paused:
			st.pos.Paused, st.pos.Since, st.cursor, st.owed = false, now, later(st.cursor, now), nil
		}
		return nil
	})
}

// change changes how far a schedule has come, in the store first.
func (r *Runner) change(ctx context.Context, name string, do func(*Schedule, *state, time.Time) error) error {
	r.turning.Lock()
	defer r.turning.Unlock()
	s, err := r.find(name)
	if err != nil {
		return err
	}
	if err := r.load(ctx); err != nil {
		return err
	}
	now := r.Now().Round(0)
	st, err := r.begin(ctx, s, now)
	if err != nil {
		return err
	}
	if err := do(s, &st, now); err != nil {
		return err
	}
	if err := r.sink.KeepPosition(ctx, st.pos); err != nil {
		return err
	}
	r.keep(st)
	return nil
}

// Trigger fires a schedule now, beside its slots and whatever its policies say.
func (r *Runner) Trigger(ctx context.Context, name string) (store.Receipt, error) {
	s, err := r.find(name)
	if err != nil {
		return store.Receipt{}, err
	}
	st, _ := r.known(name)
	now := r.Now().Round(0)
	ev := s.event(now, st.pos.Last)
	// No slot's id: a slot that comes at this very moment is another event.
	ev.ID = name + "!" + now.UTC().Format(time.RFC3339Nano)
	return r.sink.Fire(ctx, ev, nil)
}

// Backfill fires the slots from one moment to another, both included, that have
// not fired. It is safe to repeat.
func (r *Runner) Backfill(ctx context.Context, name string, from, to time.Time) (done Backfilled, err error) {
	s, err := r.find(name)
	if err != nil {
		return done, err
	}
	var slots []time.Time
	for slot := s.Next(from.Add(-1)); !slot.IsZero() && !slot.After(to); slot = s.Next(slot) {
		if slots = append(slots, slot); len(slots) > MaxBackfill {
			return done, ErrTooMany
		}
	}
	done.Slots = len(slots)
	for i, slot := range slots {
		var before time.Time
		if i > 0 {
			before = slots[i-1]
		}
		receipt, err := r.sink.Fire(ctx, s.event(slot, before), nil)
		if err != nil {
			return done, err
		}
		if receipt.Duplicate {
			done.Before++
		} else {
			done.Fired++
		}
	}
	return done, nil
}

// Status is where a schedule stands.
type Status struct {
	Name string
	// Timing is its cron expression with its zone, or its interval.
	Timing string
	// Last slot fired, zero when none was.
	Last time.Time
	// Next firings; none when there are none, or while it is paused.
	Next []Firing
	// Paused by a person, or where it is declared.
	Paused, Declared bool
	// Owed is how many slots are due and wait, for the store or for the slot
	// before. Skipped and Missed count since the gateway started.
	Owed, Skipped, Missed int
}

// Status of the current schedules, in their order, with their next n firings.
func (r *Runner) Status(n int) []Status {
	schedules := r.schedules()
	all := make([]Status, len(schedules))
	for i, s := range schedules {
		st, _ := r.known(s.Name())
		all[i] = Status{
			Name: s.Name(), Timing: s.timing, Last: st.pos.Last, Paused: s.spec.Paused || st.pos.Paused, Declared: s.spec.Paused,
			Owed: len(st.owed), Skipped: st.skipped, Missed: st.given,
		}
		if !all[i].Paused {
			all[i].Next = s.Firings(later(r.Now().Add(-s.spec.Jitter), st.cursor), n)
		}
	}
	return all
}
