package dispatch

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
)

// memory is a store in memory that keeps the contract's order: one writer
// commits batches of entries, then changes, then claims, and then answers in
// that order.
type memory struct {
	taker store.Taker
	seq   store.Sequence
	wake  chan struct{}

	mu     sync.Mutex
	queued []any // *store.Entry, *store.Change or *memoryClaim
	rows   map[int64]*row
	claims int
	starts []store.Start
	stuck  bool          // changes wait
	fail   error         // of the next claims
	lag    time.Duration // between what a claim sees and its answer
	open   int
}

// row is what is on disk of a delivery.
type row struct {
	store.Delivery
	history []store.Attempt
}

type memoryClaim struct {
	store.Claim
	got  store.Claimed
	then func(store.Claimed, error)
}

func newMemory() *memory { return &memory{wake: make(chan struct{}, 1), rows: map[int64]*row{}} }

func (m *memory) enqueue(op any) {
	m.mu.Lock()
	m.queued = append(m.queued, op)
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *memory) Record(c *store.Change) { m.enqueue(c) }
func (m *memory) Claim(c store.Claim, then func(store.Claimed, error)) {
	m.enqueue(&memoryClaim{Claim: c, then: then})
}

func (m *memory) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.wake:
			m.commit()
		}
	}
}

func (m *memory) commit() {
	m.mu.Lock()
	batch := m.queued
	m.queued = nil
	if m.stuck {
		batch, m.queued = parted(batch)
	}
	err := m.fail
	m.mu.Unlock()
	var entries []*store.Entry
	for _, op := range batch {
		switch op := op.(type) {
		case *store.Entry:
			entries = append(entries, op)
		case *store.Change:
			if op.Emit != nil {
				entries = append(entries, op.Emit)
			}
		}
	}
	for _, e := range entries {
		m.write(e)
	}
	each(batch, m.change)
	each(batch, func(c *memoryClaim) {
		if err == nil {
			m.claim(c)
		}
	})
	for _, e := range entries {
		m.taker.Take(e.Deliveries)
	}
	each(batch, func(c *store.Change) {
		if c.Committed != nil {
			c.Committed()
		}
	})
	each(batch, func(c *memoryClaim) {
		if m.lag > 0 {
			time.AfterFunc(m.lag, func() { c.then(c.got, err) })
			return
		}
		c.then(c.got, err)
	})
}

// parted takes the changes out of a batch.
func parted(batch []any) (rest, changes []any) {
	for _, op := range batch {
		if _, is := op.(*store.Change); is {
			changes = append(changes, op)
		} else {
			rest = append(rest, op)
		}
	}
	return rest, changes
}

// stick makes changes wait, as on a full disk, or go on.
func (m *memory) stick(stuck bool) {
	m.mu.Lock()
	m.stuck = stuck
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func each[T any](batch []any, do func(T)) {
	for _, op := range batch {
		if op, ok := op.(T); ok {
			do(op)
		}
	}
}

func (m *memory) write(e *store.Entry) {
	for _, del := range e.Deliveries {
		del.Seq, del.Event, del.EventID = m.seq.Next(time.Now(), 1), e.Event, e.Event.ID
		del.Due = time.Now()
		del.Claimed = m.taker.Room(del)
		m.mu.Lock()
		m.rows[del.Seq] = &row{Delivery: *del}
		m.open++
		m.mu.Unlock()
	}
}

func (m *memory) change(c *store.Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c.Start != nil {
		m.starts = append(m.starts, *c.Start)
	}
	r := m.rows[c.Delivery.Seq]
	if !r.State.Open() {
		return
	}
	if !c.State.Open() {
		m.open--
	}
	r.State, r.Due, r.RunID, r.Claimed = c.State, c.Due, c.RunID, c.Claimed
	r.Attempt, r.Throttled, r.FirstAttemptAt, r.Last = c.Attempts, c.Throttled, c.FirstAttemptAt, c.Attempt
	if c.AttemptEnded {
		r.history = append(r.history, c.Attempt)
	}
}

func (m *memory) claim(c *memoryClaim) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.claims++
	var found []*row
	for _, r := range m.rows {
		due := c.InOrder || !r.Due.After(c.Now)
		if r.Route == c.Route && r.State.Open() && !r.Claimed && due && !slices.Contains(c.Except, r.Key) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *row) int { return int(a.Seq - b.Seq) })
	size := 0
	for i, r := range found {
		if c.got.More = i == c.Limit || size > c.MaxBytes; c.got.More {
			break
		}
		r.Claimed = true
		del := r.Delivery
		c.got.Deliveries = append(c.got.Deliveries, &del)
		size += len(del.Event.Body)
	}
	for _, r := range m.rows {
		if r.Route == c.Route && r.State.Open() && !r.Claimed && (c.got.NextDue.IsZero() || r.Due.Before(c.got.NextDue)) {
			c.got.NextDue = r.Due
		}
	}
}

// get is a copy of what is on disk of a delivery.
func (m *memory) get(seq int64) row {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := *m.rows[seq]
	r.history = slices.Clone(r.history)
	return r
}

// reset is what a person does to a delivery in the store.
func (m *memory) reset(seq int64, state store.State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rows[seq]
	if was := r.State.Open(); was && !state.Open() {
		m.open--
	} else if state.Open() && !was {
		m.open++
	}
	r.State, r.Claimed, r.Due = state, false, time.Now()
}

// all are copies of all rows, by age.
func (m *memory) all() (rows []row) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.rows {
		rows = append(rows, *r)
	}
	slices.SortFunc(rows, func(a, b row) int { return int(a.Seq - b.Seq) })
	return rows
}

// count is how many claims were made, left how many deliveries are open.
func (m *memory) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.claims
}

func (m *memory) left() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.open
}

// recover is what a store does when it is opened again.
func (m *memory) recover() {
	for _, r := range m.rows {
		r.Claimed = false
	}
}

// program is an engine that does what its script says.
type program struct {
	mu sync.Mutex
	// script runs a call in a goroutine of its own; nil succeeds at once.
	script func(c engine.Call, say func(engine.Update))
	// refuse is what Run answers instead.
	refuse func(c engine.Call) error
	// attached answers Attach; nil: it can't get.
	attached func(key, runID string, say func(engine.Update)) (engine.Update, error)
	answered func(answer string, say func(engine.Update))

	ready     chan struct{}
	up        bool
	live      map[string]func(engine.Update)
	calls     []engine.Call
	cancelled []string
	forgotten []string
}

func newProgram() *program {
	p := &program{ready: make(chan struct{}), live: map[string]func(engine.Update){}}
	p.start()
	return p
}

func (p *program) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.up {
		p.up = true
		close(p.ready)
	}
}

// crash loses all runs.
func (p *program) crash() {
	p.mu.Lock()
	if p.up {
		p.up, p.ready = false, make(chan struct{})
	}
	live := p.live
	p.live = map[string]func(engine.Update){}
	p.mu.Unlock()
	for _, say := range live {
		say(engine.Update{Kind: engine.Lost, Message: "crashed"})
	}
}

// say reports for a call that goes on; later ones are not heard after an end.
func (p *program) say(key string, u engine.Update) {
	p.mu.Lock()
	report := p.live[key]
	if u.Kind.Final() {
		delete(p.live, key)
	}
	p.mu.Unlock()
	if report != nil {
		report(u)
	}
}

func (p *program) Run(c engine.Call, report func(engine.Update)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.up {
		return engine.ErrDown
	}
	if p.refuse != nil {
		if err := p.refuse(c); err != nil {
			return err
		}
	}
	if p.live[c.Key] != nil {
		return engine.ErrInFlight
	}
	p.live[c.Key] = report
	p.calls = append(p.calls, c)
	go func() {
		say := func(u engine.Update) { p.say(c.Key, u) }
		if p.script == nil {
			say(engine.Update{Kind: engine.Succeeded})
		} else {
			p.script(c, say)
		}
	}()
	return nil
}

func (p *program) Attach(_ context.Context, key, runID string, report func(engine.Update)) (engine.Update, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.up {
		return engine.Update{}, engine.ErrDown
	}
	u, err := p.attached(key, runID, func(u engine.Update) { p.say(key, u) })
	if err == nil && (u.Kind == engine.Running || u.Kind == engine.Waiting) {
		p.live[key] = report
	}
	return u, err
}

// Answer passes the answer to answered.
func (p *program) Answer(key string, input []byte) error {
	p.mu.Lock()
	up, answered := p.up, p.answered
	p.mu.Unlock()
	if !up {
		return engine.ErrDown
	}
	go answered(string(input), func(u engine.Update) { p.say(key, u) })
	return nil
}

func (p *program) Cancel(key, _ string) {
	p.mu.Lock()
	p.cancelled = append(p.cancelled, key)
	p.mu.Unlock()
}

func (p *program) Forget(key string) {
	p.mu.Lock()
	p.forgotten = append(p.forgotten, key)
	delete(p.live, key)
	p.mu.Unlock()
}

func (p *program) Ready() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ready
}

func (p *program) Describe() engine.Description {
	return engine.Description{CanGet: p.attached != nil}
}

// asked lists the keys that were asked to end.
func (p *program) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.cancelled)
}

// called lists the calls so far.
func (p *program) called() []engine.Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// bench is a dispatcher between a store in memory and scripted engines.
type bench struct {
	*Dispatcher
	t      *testing.T
	store  *memory
	plan   *Plan
	seen   []Observation
	routes func(*event.Event) []string // of dead letters
	n      int
	stop   func()
}

// newBench starts a dispatcher in a synctest bubble.
func newBench(t *testing.T, plan *Plan) *bench { return newLaggingBench(t, plan, 0) }

func newLaggingBench(t *testing.T, plan *Plan, lag time.Duration) *bench {
	b := &bench{t: t, store: newMemory(), plan: plan}
	b.store.lag = lag
	b.run()
	t.Cleanup(func() { b.stop() })
	return b
}

func (b *bench) run() {
	ctx, cancel := context.WithCancel(context.Background())
	b.Dispatcher = New(Options{
		Store: b.store, Log: zap.NewNop(), Grace: 10 * time.Second, Route: b.route,
		Observe: func(o Observation) {
			b.store.mu.Lock()
			b.seen = append(b.seen, o)
			b.store.mu.Unlock()
		},
	})
	b.store.taker = b.Dispatcher
	b.Recall(b.store.starts)
	b.Apply(b.plan)
	var dispatching, writing sync.WaitGroup
	life, end := context.WithCancel(context.Background())
	writing.Go(func() { b.store.run(life) })
	dispatching.Go(func() { _ = b.Dispatcher.Run(ctx) })
	b.stop = func() { cancel(); dispatching.Wait(); end(); writing.Wait() }
}

// restart stops everything, recovers the store and starts anew.
func (b *bench) restart() {
	b.stop()
	b.store.commit()
	b.store.recover()
	b.run()
}

func (b *bench) route(ev *event.Event) *store.Entry {
	e := &store.Entry{Event: ev}
	if b.routes != nil {
		for _, name := range b.routes(ev) {
			e.Deliveries = append(e.Deliveries, &store.Delivery{Route: name})
		}
	}
	return e
}

// send commits an event for a route.
func (b *bench) send(route, key string) *store.Delivery { return b.sendBody(route, key, nil) }

func (b *bench) sendBody(route, key string, body []byte) *store.Delivery {
	b.n++
	del := &store.Delivery{Route: route, Key: key}
	b.store.enqueue(&store.Entry{
		Event:      &event.Event{ID: nameOf(b.n), Type: "test", Source: "/api", Body: body},
		Deliveries: []*store.Delivery{del},
	})
	return del
}

// nameOf names the n-th event.
func nameOf(n int) string { return store.FormatID(int64(n)) }

// leftovers checks the books when nothing is open any more.
func (b *bench) leftovers() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bytes != 0 || len(b.running) != 0 || len(b.sleeping) != 0 || len(b.returns) != 0 {
		b.t.Errorf("left: %d bytes, %d running, %d sleeping, %d returning", b.bytes, len(b.running), len(b.sleeping), len(b.returns))
	}
	for _, q := range b.queues.All() {
		if q.held != 0 || q.bytes != 0 || len(q.groups) != 0 || q.giving != 0 {
			b.t.Errorf("route %s: left: %d held, %d bytes, %d groups, %d giving", q.route, q.held, q.bytes, len(q.groups), q.giving)
		}
	}
	if len(b.counted) != 0 {
		b.t.Errorf("left: %d counted", len(b.counted))
	}
	for name, l := range b.lanes {
		if l.running != 0 || len(l.turn) != 0 {
			b.t.Errorf("engine %s: left: %d running, %d in turn", name, l.running, len(l.turn))
		}
	}
}
