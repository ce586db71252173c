package schedule

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/store"
)

// state is how far a schedule has come.
type state struct {
	pos store.Position
	// cursor: every slot up to here is fired, owed, skipped or given up.
	cursor time.Time
	// owed slots are due but wait, for the store or for the slot before; oldest
	// first.
	owed []time.Time
	// skipped and given up since the gateway started.
	skipped, given int
}

// advance fires what is due of one schedule and tells when to come back.
func (r *Runner) advance(ctx context.Context, s *Schedule) time.Duration {
	// Without its monotonic part: slots are moments of the wall clock.
	now := r.Now().Round(0)
	st, err := r.begin(ctx, s, now)
	if err != nil {
		r.warn(ctx, "schedule not started", err, zap.String("schedule", s.Name()))
		return again
	}
	defer func() { r.keep(st) }()
	if st.cursor.Sub(now) > setBack {
		r.log.Warn("clock was set back", zap.String("schedule", s.Name()), zap.Time("from", st.cursor), zap.Time("to", now))
		st.cursor = now
	}
	if s.spec.Paused || st.pos.Paused {
		r.giveUp(s, &st, len(st.owed))
		st.cursor, st.owed = later(st.cursor, now), nil
		return reread
	}
	wait := reread
	if err = r.collect(ctx, s, &st, now); err == nil {
		wait, err = r.fire(ctx, s, &st)
	}
	if err != nil {
		r.warn(ctx, "schedule not fired, will be tried again", err, zap.String("schedule", s.Name()), zap.Int("slots", len(st.owed)))
		return again
	}
	if next := s.Next(st.cursor); !next.IsZero() {
		return min(wait, s.firing(next).Sub(now))
	}
	return wait
}

// begin finds how far a schedule has come. One that is new, or whose timing
// changed, begins now; that is kept, so that its first slot is not lost by a
// stop before it.
func (r *Runner) begin(ctx context.Context, s *Schedule, now time.Time) (state, error) {
	st, found := r.known(s.Name())
	if !found || st.pos.Spec != s.identity() {
		st.pos.Schedule, st.pos.Spec, st.pos.Since, st.pos.Seen = s.Name(), s.identity(), now, time.Time{}
		st.cursor, st.owed = now, nil
		if err := r.sink.KeepPosition(ctx, st.pos); err != nil {
			return st, err
		}
		r.keep(st)
	}
	return st, nil
}

// collect moves slots that have come due into what is owed, as far as the
// policies let them.
func (r *Runner) collect(ctx context.Context, s *Schedule, st *state, now time.Time) error {
	fresh, cursor, given := s.due(st, now)
	if n := len(fresh); n > 0 && s.spec.Overlap == OverlapSkip && s.isOnTime(fresh[n-1], now) {
		// What is made up for waits for its turn. What is on time has none.
		open, err := r.open(ctx, s, st)
		if err != nil {
			return err
		}
		if open {
			fresh = fresh[:n-1]
			if err := r.skip(ctx, s, st, cursor, len(st.owed)+len(fresh) == 0); err != nil {
				return err
			}
		}
	}
	owed, more := s.trim(append(st.owed, fresh...), now)
	r.giveUp(s, st, given+more)
	st.owed, st.cursor = owed, cursor
	return nil
}

// skip gives a slot up because the one before has not ended. That is kept, or
// after a restart it would look as if it had been missed.
func (r *Runner) skip(ctx context.Context, s *Schedule, st *state, slot time.Time, settled bool) error {
	if settled {
		pos := st.pos
		pos.Since = slot
		if err := r.sink.KeepPosition(ctx, pos); err != nil {
			return err
		}
		st.pos = pos
	}
	st.skipped++
	r.log.Info("slot skipped: the one before has not ended", zap.String("schedule", s.Name()), zap.Time("slot", slot), zap.Time("before", st.pos.Last))
	return nil
}

func (r *Runner) giveUp(s *Schedule, st *state, slots int) {
	if slots > 0 {
		st.given += slots
		r.log.Warn("slots missed", zap.String("schedule", s.Name()), zap.Int("slots", slots), zap.String("missed", string(s.spec.Missed)))
	}
}

// open tells whether the slot fired last has deliveries that have not ended.
func (r *Runner) open(ctx context.Context, s *Schedule, st *state) (bool, error) {
	if s.spec.Overlap == OverlapAllow || st.pos.Last.IsZero() {
		return false, nil
	}
	return r.sink.Open(ctx, s.source(), s.id(st.pos.Last))
}

// fire fires what is owed, one after the other, and tells when to come back.
func (r *Runner) fire(ctx context.Context, s *Schedule, st *state) (time.Duration, error) {
	for len(st.owed) > 0 {
		open, err := r.open(ctx, s, st)
		if err != nil {
			return 0, err
		}
		if open {
			return look, r.await(ctx, s, st)
		}
		slot := s.slot(st.owed[0])
		if _, err := r.sink.Fire(ctx, s.event(st.owed[0], st.pos.Last), &slot); err != nil {
			return 0, err
		}
		st.pos.Last, st.owed = st.owed[0], st.owed[1:]
	}
	return reread, nil
}

// await keeps which slots wait for their turn: after a restart they have not
// been missed, whatever becomes of those that have.
func (r *Runner) await(ctx context.Context, s *Schedule, st *state) error {
	last := st.owed[len(st.owed)-1]
	if s.spec.Overlap != OverlapQueue || !last.After(st.pos.Seen) {
		return nil
	}
	pos := st.pos
	pos.Since, pos.Seen = later(pos.Since, st.owed[0].Add(-time.Microsecond)), last
	if err := r.sink.KeepPosition(ctx, pos); err != nil {
		return err
	}
	st.pos = pos
	return nil
}

func (s *Schedule) isOnTime(slot, now time.Time) bool { return now.Sub(s.firing(slot)) <= onTime }

// due lists the slots that have come due since the cursor, as far as the window
// and the policy make up for those that are late, and where the cursor is then.
// given is how many are given up.
func (s *Schedule) due(st *state, now time.Time) (fresh []time.Time, cursor time.Time, given int) {
	from := st.cursor
	if edge := now.Add(-max(s.spec.MissedWindow, onTime) - s.spec.Jitter - time.Nanosecond); edge.After(from) && !from.Before(st.pos.Seen) {
		if first := s.Next(from); !first.IsZero() && !first.After(edge) {
			given++ // at least: what lies before the window is not counted one by one
		}
		from = edge
	}
	cursor = from
	var waited, late, timely []time.Time
	for slot := s.Next(from); !slot.IsZero() && !s.firing(slot).After(now); slot = s.Next(slot) {
		cursor = slot
		into := &late
		switch {
		case !slot.After(st.pos.Seen): // when a former process ended
			into = &waited
		case s.isOnTime(slot, now):
			into = &timely
		}
		if *into = append(*into, slot); len(*into) > maxMissed {
			*into, given = (*into)[1:], given+1
		}
	}
	keep := 0 // of those that are late
	switch {
	case s.spec.Missed == MissedAll:
		keep = len(late)
	case s.spec.Missed == MissedLatest && len(timely) == 0:
		keep = min(1, len(late))
	}
	given += len(late) - keep
	return slices.Concat(waited, late[len(late)-keep:], timely), cursor, given
}

// trim keeps what is owed within the policy: of slots that could not be stored
// in time the latest stands for all, unless all are wanted.
func (s *Schedule) trim(owed []time.Time, now time.Time) (kept []time.Time, given int) {
	drop := max(0, len(owed)-maxMissed)
	if s.spec.Missed != MissedAll && s.spec.Overlap != OverlapQueue {
		for drop < len(owed)-1 && !s.isOnTime(owed[drop], now) {
			drop++
		}
	}
	return owed[drop:], drop
}
