// Package dispatch carries deliveries from the store to engines and records
// what became of them: concurrency, order, retry and dead letters. It stands
// at the end of the flow, between store and engine.
//
// Deliveries reach it straight from their commit (Take) or, when memory has no
// room, after a restart and when a retry comes due, by claims. One goroutine,
// Run's, starts runs, claims and gives back; the updates of engines end runs.
//
// What is in the store dispatch learns in commit order, by Room, Take and
// Change.Committed. The answers of claims are late: a claim sees all that was
// committed before it was made; what is committed later says so itself, before
// or after the answer.
package dispatch

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/dispatch/named"
	"github.com/event-gateway/gateway/gateway/dispatch/outcome"
	"github.com/event-gateway/gateway/gateway/dispatch/pace"
	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
)

// Store is where deliveries come from and outcomes go.
type Store interface {
	Claim(c store.Claim, then func(store.Claimed, error))
	Record(c *store.Change)
}

// Engine runs workflows; *engine.Engine is one.
type Engine interface {
	Run(c engine.Call, report func(engine.Update)) error
	Attach(ctx context.Context, key, runID string, report func(engine.Update)) (engine.Update, error)
	Answer(key string, input []byte) error
	Cancel(key, reason string)
	Forget(key string)
	Ready() <-chan struct{}
	Describe() engine.Description
}

// Plan is what dispatch needs of a configuration.
type Plan struct {
	Engines map[string]Lane
	Routes  map[string]Rule
}

// Lane is an engine and how much it is given.
type Lane struct {
	Engine Engine
	// InFlight bounds the runs at a time.
	InFlight int
	// Timeout bounds one attempt; a route's own replaces it.
	Timeout time.Duration
}

// Rule is how the deliveries of one route are run.
type Rule struct {
	Engine, Workflow string
	Retry            outcome.Retry
	// Timeout bounds one attempt; zero: the engine's.
	Timeout time.Duration
	// Concurrency bounds the runs per order key; zero: no bound.
	Concurrency int
	// Strict runs the deliveries of a key one after another, in the order of
	// their commits; one that fails holds the later ones until it has ended.
	// What was accepted before a route became strict keeps no order.
	Strict bool
	// Priority among the routes of the engine: while one of a higher priority
	// can start something, those below it start nothing.
	Priority int
	// Rate bounds the starts, those of retries included; zero: no bound.
	Rate pace.Rate
}

// Observation is one attempt that ended, for metrics.
type Observation struct {
	Route, Engine, Outcome string
	Took                   time.Duration
}

// Options of a dispatcher. All but Observe, Follow and Grace must be set.
type Options struct {
	Store Store
	// Route makes an entry of an event of dispatch's own, a dead letter.
	Route func(*event.Event) *store.Entry
	Log   *zap.Logger
	// Observe is told of every attempt; it must be quick.
	Observe func(Observation)
	// Follow, when set, is asked about every change what is to be called once it
	// is on disk; nil is nothing. Neither may block.
	Follow func(*store.Change) func()
	// Grace is how long runs may go on after Run's context has ended.
	Grace time.Duration
}

const (
	// tickTime is the grain of due times, time-outs and of noticing that an
	// engine is back.
	tickTime = 50 * time.Millisecond
	// markAfter is when a run that goes on is recorded as running: what ends
	// sooner costs one change less.
	markAfter = 200 * time.Millisecond
	// cancelGrace is what an engine gets to end a run after its time-out.
	cancelGrace = 5 * time.Second
	// pollTime is when to look again after a claim or a question to an engine
	// that failed.
	pollTime = time.Second
	// maxHeld bounds the deliveries of a route in memory, maxBytes the size of
	// those of all routes; itemBytes is a delivery's without body and input.
	maxHeld, maxBytes, itemBytes = 4096, 64 << 20, 1 << 10
	// claimSize is how many are claimed at once.
	claimSize, claimBytes = 512, 8 << 20
	// startSize bounds the runs started before the lock is taken again.
	startSize = 128
	// maxLost bounds how often in a row the engine may go away under a run
	// before that is held against the run: it may be what kills the engine.
	maxLost = 5
)

// Dispatcher runs deliveries. It is the store's Taker.
type Dispatcher struct {
	opts Options
	wake chan struct{}
	work sync.WaitGroup // attaching

	mu       sync.Mutex
	lanes    map[string]*lane
	queues   named.Map[*queue]
	running  map[int64]*run // waiting ones included
	sleeping map[*group]struct{}
	// starts of routes that have a rate, or had one of late; counted are runs
	// of theirs that the store knows of and that may begin.
	starts   map[string]*pace.Starts
	counted  []*run
	looks    []*queue        // queues that perhaps should claim
	returns  []*store.Change // given back, to be recorded by Run
	bytes    int             // of what is held and of what claims may bring
	stopping bool
}

// New makes a dispatcher without a plan: what comes stays in the store.
func New(o Options) *Dispatcher {
	if o.Observe == nil {
		o.Observe = func(Observation) {}
	}
	if o.Follow == nil {
		o.Follow = func(*store.Change) func() { return nil }
	}
	return &Dispatcher{
		opts: o, wake: make(chan struct{}, 1),
		lanes:   map[string]*lane{},
		running: map[int64]*run{}, sleeping: map[*group]struct{}{},
		starts: map[string]*pace.Starts{},
	}
}

// Run starts what can run until ctx ends; then it starts nothing more and
// waits up to Grace for the runs that go on. What has not ended by then stays
// as it is in the store, and is found at the next start.
func (d *Dispatcher) Run(ctx context.Context) error {
	tick := time.NewTicker(tickTime)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			d.drain(tick.C)
			return nil
		case <-d.wake:
		case now := <-tick.C:
			d.tick(now)
		}
		for d.step(ctx) && ctx.Err() == nil {
		}
	}
}

// signal makes Run look for something to do.
func (d *Dispatcher) signal() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// step starts what can be started now and claims what there is room for. It
// tells whether more may follow at once.
func (d *Dispatcher) step(ctx context.Context) bool {
	d.mu.Lock()
	now := time.Now()
	returns := d.returns
	d.returns = nil
	counted := d.counted
	d.counted = nil
	starts := d.pick(now)
	claims := d.hungry(now)
	d.mu.Unlock()
	// What goes back goes before the claims that should find it.
	for _, c := range returns {
		d.opts.Store.Record(c)
	}
	for _, c := range claims {
		d.opts.Store.Claim(c.Claim, func(got store.Claimed, err error) { d.claimed(c, got, err) })
	}
	for _, r := range starts {
		d.start(ctx, r)
	}
	for _, r := range counted {
		d.begin(r)
	}
	return len(starts) == startSize
}

func (d *Dispatcher) drain(tick <-chan time.Time) {
	d.mu.Lock()
	d.stopping = true
	d.mu.Unlock()
	deadline := time.Now().Add(d.opts.Grace)
	for now := time.Now(); now.Before(deadline) && d.active() > 0; now = <-tick {
		d.tick(now)
		d.leave()
	}
	d.work.Wait()
}

// active counts the runs that are not waiting for an answer.
func (d *Dispatcher) active() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.running {
		if !r.waiting {
			n++
		}
	}
	return n
}
