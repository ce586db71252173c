package schedule

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
)

// Sink takes the events of slots and remembers the slots.
type Sink interface {
	// Fire stores the event and the slot together. An event that was stored
	// before is no error.
	Fire(ctx context.Context, ev *event.Event, slot store.Slot) error
	// LastSlot is the slot of a schedule that was fired last.
	LastSlot(ctx context.Context, name string) (slot store.Slot, found bool, err error)
}

const (
	// reread is how long the wall clock is trusted: it can jump, and timers
	// stand still while a machine sleeps.
	reread = 30 * time.Second
	// onTime is how late a slot may be and still not count as missed.
	onTime = time.Minute
	// again is how long after an error the sink is tried again.
	again = 5 * time.Second
	// setBack is how far clocks may be put back before slots that lie ahead of
	// them are forgotten; ids keep them from being stored twice.
	setBack = 24 * time.Hour
)

// Runner fires the schedules of the current configuration.
type Runner struct {
	schedules func() []*Schedule
	sink      Sink
	log       *zap.Logger
	wake      chan struct{}

	mu     sync.Mutex
	states map[string]*state
}

// state is how far a schedule has come.
type state struct {
	timing string
	// cursor: every slot up to here is fired, owed or given up.
	cursor time.Time
	// last is the slot fired last, zero when none was.
	last time.Time
	// owed slots are due but could not be stored yet; oldest first.
	owed []time.Time
}

// New makes a runner. The schedules are asked for anew at every turn.
func New(schedules func() []*Schedule, sink Sink, log *zap.Logger) *Runner {
	return &Runner{schedules: schedules, sink: sink, log: log, wake: make(chan struct{}, 1), states: map[string]*state{}}
}

// Wake tells that the schedules have changed.
func (r *Runner) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run fires slots until ctx ends.
func (r *Runner) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		case <-timer.C:
		}
		timer.Reset(r.turn(ctx))
	}
}

// turn brings every schedule up to the present and tells how long there is
// nothing to do.
func (r *Runner) turn(ctx context.Context) time.Duration {
	wait := reread
	current := map[string]bool{}
	for _, s := range r.schedules() {
		current[s.Name()] = true
		wait = min(wait, r.advance(ctx, s))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for name := range r.states {
		if !current[name] {
			delete(r.states, name)
		}
	}
	return max(wait, 0)
}

// advance fires what is due of one schedule and tells when to come back.
func (r *Runner) advance(ctx context.Context, s *Schedule) time.Duration {
	// Without its monotonic part: slots are moments of the wall clock.
	now := time.Now().Round(0)
	st, err := r.state(ctx, s, now)
	if err != nil {
		r.log.Warn("schedule not started", zap.String("schedule", s.Name()), zap.Error(err))
		return again
	}
	if st.cursor.Sub(now) > setBack {
		r.log.Warn("clock was set back", zap.String("schedule", s.Name()), zap.Time("from", st.cursor), zap.Time("to", now))
		st.cursor = now
	}
	owed, given := s.due(st, now)
	if given > 0 {
		r.log.Warn("slots missed", zap.String("schedule", s.Name()), zap.Int("slots", given), zap.String("missed", string(s.spec.Missed)))
	}
	for len(owed) > 0 {
		if err := r.sink.Fire(ctx, s.event(owed[0], st.last), s.slot(owed[0])); err != nil {
			r.keep(s.Name(), st, state{timing: st.timing, cursor: maxTime(st.cursor, now), last: st.last, owed: owed})
			if ctx.Err() != nil {
				return again
			}
			r.log.Warn("schedule not fired, will be tried again", zap.String("schedule", s.Name()), zap.Time("slot", owed[0]), zap.Error(err))
			return again
		}
		st.last, owed = owed[0], owed[1:]
	}
	r.keep(s.Name(), st, state{timing: st.timing, cursor: maxTime(st.cursor, now), last: st.last})
	return until(s.Next(st.cursor), now)
}

// until is the time to a slot; for ever when there is none.
func until(slot, now time.Time) time.Duration {
	if slot.IsZero() {
		return reread
	}
	return slot.Sub(now)
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// keep writes a state down where Status can read it.
func (r *Runner) keep(name string, st *state, next state) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*st = next
	r.states[name] = st
}

// state finds how far a schedule has come: from memory, else from the store.
// One that is new, or whose timing changed, begins now.
func (r *Runner) state(ctx context.Context, s *Schedule, now time.Time) (*state, error) {
	r.mu.Lock()
	st := r.states[s.Name()]
	r.mu.Unlock()
	if st != nil && st.timing == s.timing {
		copied := *st
		return &copied, nil
	}
	if st != nil {
		return &state{timing: s.timing, cursor: now, last: st.last}, nil
	}
	slot, found, err := r.sink.LastSlot(ctx, s.Name())
	if err != nil {
		return nil, err
	}
	st = &state{timing: s.timing, cursor: now}
	if found {
		st.last = slot.At
	}
	if found && slot.Spec == s.timing {
		st.cursor = slot.At
	}
	return st, nil
}

// due lists the slots to fire now, oldest first: what is owed, what has come
// due on time, and what was missed as far as the policy makes up for it. given
// is how many are given up.
func (s *Schedule) due(st *state, now time.Time) (owed []time.Time, given int) {
	window := max(s.spec.MissedWindow, onTime)
	from := maxTime(st.cursor, now.Add(-window-time.Nanosecond))
	if from != st.cursor && !s.Next(st.cursor).After(from) {
		given++ // at least: what lies before the window is not counted one by one
	}
	owed = append(owed, st.owed...)
	for slot := s.Next(from); !slot.IsZero() && !slot.After(now); slot = s.Next(slot) {
		owed = append(owed, slot)
		if len(owed) > maxMissed {
			owed, given = owed[1:], given+1
		}
	}
	keep := 1
	if s.spec.Missed == MissedAll {
		keep = maxMissed
	}
	if extra := len(owed) - keep; extra > 0 {
		owed, given = owed[extra:], given+extra
	}
	if s.spec.Missed == MissedNone && len(st.owed) == 0 && len(owed) > 0 && now.Sub(owed[0]) > onTime {
		owed, given = nil, given+1
	}
	return owed, given
}

// Status is where a schedule stands.
type Status struct {
	Name string
	// Timing is its cron expression with its zone, or its interval.
	Timing string
	// Last slot fired, zero when none was; Next slot, zero when there is none.
	Last, Next time.Time
	// Owed is how many slots are due but could not be stored yet.
	Owed int
}

// Status of the current schedules, in their order.
func (r *Runner) Status() []Status {
	now := time.Now()
	schedules := r.schedules()
	all := make([]Status, len(schedules))
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, s := range schedules {
		all[i] = Status{Name: s.Name(), Timing: s.timing, Next: s.Next(now)}
		if st := r.states[s.Name()]; st != nil {
			all[i].Last, all[i].Owed = st.last, len(st.owed)
		}
	}
	return all
}
