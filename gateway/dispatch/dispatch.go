// Package dispatch carries deliveries from the store to engines and records
// what became of them: concurrency, order, retry and dead letters. It stands
// at the end of the flow, between store and engine.
//
// Deliveries reach it straight from their commit (Take) or, when memory has no
// room, after a restart and when a retry comes due, by claims. One goroutine,
// Run's, starts runs; the updates of engines end them.
package dispatch

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

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
	Retry            Retry
	// Timeout bounds one attempt; zero: the engine's.
	Timeout time.Duration
	// Concurrency bounds the runs per order key; zero: no bound.
	Concurrency int
	// Strict runs the deliveries of a key one after another, in the order of
	// their commits; one that fails holds the later ones until it has ended.
	Strict bool
}

// limit is how many runs of one key may go on.
func (r Rule) limit() int {
	switch {
	case r.Strict:
		return 1
	case r.Concurrency > 0:
		return r.Concurrency
	}
	return int(^uint(0) >> 1)
}

// Observation is one attempt that ended, for metrics.
type Observation struct {
	Route, Engine, Outcome string
	Took                   time.Duration
}

// Options of a dispatcher. All but Observe and Grace must be set.
type Options struct {
	Store Store
	// Route makes an entry of an event of dispatch's own, a dead letter.
	Route func(*event.Event) *store.Entry
	Log   *zap.Logger
	// Observe is told of every attempt; it must be quick.
	Observe func(Observation)
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
	// maxHeld bounds the deliveries of a route in memory, maxBytes all bodies.
	maxHeld, maxBytes = 4096, 64 << 20
	// claimSize is how many are claimed at once.
	claimSize, claimBytes = 512, 8 << 20
	// startSize bounds the runs started before the lock is taken again.
	startSize = 128
)

// Dispatcher runs deliveries. It is the store's Taker.
type Dispatcher struct {
	opts Options
	wake chan struct{}
	work sync.WaitGroup // attaching

	mu       sync.Mutex
	lanes    map[string]*lane
	queues   map[string]*queue
	running  map[int64]*item // started and not ended, waiting ones included
	sleeping map[*group]struct{}
	bytes    int
	stopping bool
}

// New makes a dispatcher without a plan: what comes stays in the store.
func New(o Options) *Dispatcher {
	if o.Observe == nil {
		o.Observe = func(Observation) {}
	}
	return &Dispatcher{
		opts: o, wake: make(chan struct{}, 1),
		lanes: map[string]*lane{}, queues: map[string]*queue{},
		running: map[int64]*item{}, sleeping: map[*group]struct{}{},
	}
}

// Apply puts a plan in force. Runs that go on are not touched; deliveries of
// routes that are gone return to the store until the route does.
func (d *Dispatcher) Apply(p *Plan) {
	d.mu.Lock()
	released := d.apply(p)
	d.mu.Unlock()
	for _, c := range released {
		d.opts.Store.Record(c)
	}
	d.signal()
}

func (d *Dispatcher) apply(p *Plan) (released []*store.Change) {
	for name := range d.lanes {
		if _, ok := p.Engines[name]; !ok {
			delete(d.lanes, name)
		}
	}
	for name, l := range p.Engines {
		if d.lanes[name] == nil {
			d.lanes[name] = &lane{}
		}
		d.lanes[name].Lane = l
		d.lanes[name].turn = nil
	}
	for name, q := range d.queues {
		if _, ok := p.Routes[name]; !ok {
			released = append(released, d.empty(q)...)
		}
	}
	for name, rule := range p.Routes {
		q := d.queue(name)
		q.rule, q.lane, q.queued, q.turn = rule, d.lanes[rule.Engine], false, nil
		for _, g := range q.groups {
			g.queued = false
			d.offer(q, g)
		}
	}
	return released
}

// empty gives what waits in a queue back to the store; runs go on to their end.
func (d *Dispatcher) empty(q *queue) (released []*store.Change) {
	q.lane, q.turn, q.queued = nil, nil, false
	for _, g := range q.groups {
		for _, it := range g.items {
			released = append(released, it.change(store.Pending, it.d.Due))
			d.drop(it)
		}
		g.items = nil
		d.tidy(q, g)
	}
	q.backlog, q.dry = true, false
	if q.held == 0 && d.queues[q.route] == q {
		delete(d.queues, q.route)
	}
	return released
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
		for d.step(ctx) {
		}
	}
}

// signal makes Run look for something to start.
func (d *Dispatcher) signal() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *Dispatcher) drain(tick <-chan time.Time) {
	d.mu.Lock()
	d.stopping = true
	d.mu.Unlock()
	deadline := time.Now().Add(d.opts.Grace)
	for now := time.Now(); now.Before(deadline) && d.active() > 0; now = <-tick {
		d.tick(now)
	}
	d.work.Wait()
}

// active counts the runs that are not waiting for an answer.
func (d *Dispatcher) active() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, it := range d.running {
		if !it.waiting {
			n++
		}
	}
	return n
}

// step starts what can be started now and claims what there is room for. It
// tells whether more may follow at once.
func (d *Dispatcher) step(ctx context.Context) bool {
	d.mu.Lock()
	starts := d.pick()
	claims := d.hungry(time.Now())
	d.mu.Unlock()
	for _, it := range starts {
		d.start(ctx, it)
	}
	for _, q := range claims {
		d.claim(q)
	}
	return len(starts) == startSize
}

// InFlight tells which deliveries run now.
func (d *Dispatcher) InFlight(seq int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	it := d.running[seq]
	return it != nil && !it.waiting
}

// Nudge makes Run look into the store for a route, after a person changed
// something there.
func (d *Dispatcher) Nudge(route string) {
	d.mu.Lock()
	q := d.queue(route)
	q.backlog, q.dry = true, false
	d.mu.Unlock()
	d.signal()
}

// Discard drops a delivery that a person discarded: a run is asked to end, and
// whatever it answers is not recorded.
func (d *Dispatcher) Discard(seq int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if it := d.running[seq]; it != nil {
		it.discarded = true
		it.engine.Cancel(it.d.ID(), "discarded")
		return
	}
	for _, q := range d.queues {
		for _, g := range q.groups {
			if g.remove(seq) {
				d.tidy(q, g)
				q.held--
			}
		}
	}
}
