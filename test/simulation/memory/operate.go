package memory

import (
	"context"
	"slices"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
)

// operate changes a delivery by hand and returns it as it was.
func (s *Store) operate(seq int64, may func(*row) bool, change func(*row, time.Time)) (*store.Delivery, error) {
	var was *store.Delivery
	err := s.do(func(d *Disk) error {
		r := d.rows[seq]
		if r == nil {
			return store.ErrNotFound
		}
		before := r.Delivery
		was = &before
		if e := d.event(r.EventSeq); e != nil {
			was.EventID = e.Event.ID
		}
		if !may(r) {
			return store.ErrState
		}
		if r.Attempt > 0 && !slices.ContainsFunc(r.history, func(a store.Attempt) bool { return a.Number == r.Attempt }) {
			last := r.Last
			last.Number, last.Output = r.Attempt, nil
			r.remember(last)
		}
		change(r, micros(time.Now()))
		return nil
	})
	return was, err
}

func anew(r *row, now time.Time) {
	r.State, r.Claimed, r.Due, r.Throttled, r.FirstAttemptAt = store.Pending, false, now, r.Attempt, time.Time{}
}

// Retry makes a delivery due now.
func (s *Store) Retry(_ context.Context, seq int64) (*store.Delivery, error) {
	return s.operate(seq, func(r *row) bool { return r.State != store.Succeeded && r.State != store.Merged && !r.Claimed }, anew)
}

// Again makes a delivery pending that ended before some time.
func (s *Store) Again(_ context.Context, seq int64, before time.Time) (*store.Delivery, error) {
	return s.operate(seq, func(r *row) bool {
		return (r.State == store.Succeeded || r.State == store.Dead) && r.Last.Ended.Before(before)
	}, func(r *row, now time.Time) { anew(r, now); r.RunID = "" })
}

// Discard ends a delivery by hand.
func (s *Store) Discard(_ context.Context, seq int64) (*store.Delivery, error) {
	return s.operate(seq, func(r *row) bool { return r.State.Open() || r.State == store.Dead },
		func(r *row, now time.Time) { r.State, r.Claimed, r.Last.Ended = store.Discarded, false, now })
}

// Retain deletes what is past its time at now.
func (s *Store) Retain(_ context.Context, now time.Time) error {
	keep := s.opts.Retain
	return s.do(func(d *Disk) error {
		d.retainEnded(now, keep.Succeeded, store.Succeeded, store.Merged)
		d.retainEnded(now, keep.Dead, store.Dead, store.Discarded)
		if keep.Unrouted > 0 {
			before := store.SeqAt(now.Add(-keep.Unrouted))
			d.events = slices.DeleteFunc(d.events, func(e *Event) bool { return e.Seq < before && !d.routed(e) })
		}
		if keep.Dedupe > 0 {
			before := store.SeqAt(now.Add(-keep.Dedupe))
			for k, at := range d.keys {
				if at.event < before && d.event(at.event) == nil {
					delete(d.keys, k)
				}
			}
		}
		d.starts = slices.DeleteFunc(d.starts, func(s store.Start) bool { return s.At.Before(now.Add(-store.MaxWindow)) })
		return nil
	})
}

func (d *Disk) retainEnded(now time.Time, keep time.Duration, states ...store.State) {
	if keep <= 0 {
		return
	}
	edge := now.Add(-keep)
	d.each(func(r *row) {
		if r.Seq < store.SeqAt(edge) && slices.Contains(states, r.State) && r.Last.Ended.Before(edge) {
			delete(d.rows, r.Seq)
		}
	})
	d.order = slices.DeleteFunc(d.order, func(seq int64) bool { return d.rows[seq] == nil })
}

// routed: it has deliveries still.
func (d *Disk) routed(e *Event) bool {
	for seq := e.Seq + 1; seq <= e.Seq+int64(e.Deliveries); seq++ {
		if d.rows[seq] != nil {
			return true
		}
	}
	return false
}
