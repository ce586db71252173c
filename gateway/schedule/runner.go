package schedule

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
)

// Sink takes the events of slots and remembers how far schedules have come.
type Sink interface {
	// Fire stores an event, and the slot with it unless that is nil. An event
	// that was stored before is a duplicate and no error.
	Fire(ctx context.Context, ev *event.Event, slot *store.Slot) (store.Receipt, error)
	// Open tells whether an event has deliveries that have not ended.
	Open(ctx context.Context, source, id string) (bool, error)
	Positions(ctx context.Context) ([]store.Position, error)
	// KeepPosition remembers all of it but Last, ForgetPosition nothing.
	KeepPosition(ctx context.Context, p store.Position) error
	ForgetPosition(ctx context.Context, name string) error
}

const (
	// reread is how long the wall clock is trusted: it can jump, and timers
	// stand still while a machine sleeps.
	reread = 30 * time.Second
	// onTime is how late a slot may be and still not count as missed.
	onTime = time.Minute
	// again is how long after an error the sink is tried again.
	again = 5 * time.Second
	// look is how often is looked whether the slot before has ended.
	look = time.Second
	// setBack is how far clocks may be put back before slots that lie ahead of
	// them are forgotten; ids keep them from being stored twice.
	setBack = 24 * time.Hour
)

// Runner fires the schedules of the current configuration.
type Runner struct {
	// Now is the wall clock, which may jump: time.Now, unless it is set before the
	// runner is used.
	Now func() time.Time

	schedules func() []*Schedule
	sink      Sink
	log       *zap.Logger
	wake      chan struct{}

	// turning is held by whoever changes how far schedules have come: a turn, or
	// a person's pause.
	turning sync.Mutex
	loaded  bool

	mu     sync.Mutex // of states, for Status
	states map[string]*state
}

// New makes a runner. The schedules are asked for anew at every turn.
func New(schedules func() []*Schedule, sink Sink, log *zap.Logger) *Runner {
	return &Runner{
		schedules: schedules, sink: sink, log: log, Now: time.Now, wake: make(chan struct{}, 1), states: map[string]*state{},
	}
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
		began := time.Now()
		wait := r.turn(ctx)
		timer.Reset(wait - time.Since(began)) // what it tells was true when it began
	}
}

// turn brings every schedule up to the present and tells how long there is
// nothing to do.
func (r *Runner) turn(ctx context.Context) time.Duration {
	r.turning.Lock()
	defer r.turning.Unlock()
	// While it is not known how far they had come nothing fires: it might twice.
	if err := r.load(ctx); err != nil {
		r.warn(ctx, "schedules not started", err)
		return again
	}
	wait := reread
	current := map[string]bool{}
	for _, s := range r.schedules() {
		current[s.Name()] = true
		wait = min(wait, r.advance(ctx, s))
	}
	r.forget(ctx, current)
	return max(wait, 0)
}

// load reads once how far schedules had come.
func (r *Runner) load(ctx context.Context) error {
	if r.loaded {
		return nil
	}
	positions, err := r.sink.Positions(ctx)
	if err != nil {
		return err
	}
	for _, p := range positions {
		r.keep(state{pos: p, cursor: later(p.Last, p.Since)})
	}
	r.loaded = true
	return nil
}

// forget drops what is no longer declared: declared again it is new.
func (r *Runner) forget(ctx context.Context, current map[string]bool) {
	r.mu.Lock()
	var gone []string
	for name := range r.states {
		if !current[name] {
			gone = append(gone, name)
		}
	}
	r.mu.Unlock()
	slices.Sort(gone)
	for _, name := range gone {
		if err := r.sink.ForgetPosition(ctx, name); err != nil {
			r.warn(ctx, "schedule not forgotten", err, zap.String("schedule", name))
			continue
		}
		r.mu.Lock()
		delete(r.states, name)
		r.mu.Unlock()
	}
}

// warn logs what went wrong, unless the end has come.
func (r *Runner) warn(ctx context.Context, what string, err error, fields ...zap.Field) {
	if ctx.Err() == nil {
		r.log.Warn(what, append(fields, zap.Error(err))...)
	}
}

// keep writes a state down where Status can read it.
func (r *Runner) keep(st state) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.states[st.pos.Schedule] = &st
}

// known is a copy of a state.
func (r *Runner) known(name string) (st state, found bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.states[name]; p != nil {
		return *p, true
	}
	return st, false
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
