package gather

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
)

// memory is a store in memory that keeps the contract's order: one writer
// commits batches of entries, then changes, then claims, and then answers.
type memory struct {
	wake chan struct{}

	mu      sync.Mutex
	taker   store.Taker
	seq     store.Sequence
	queued  []any // *store.Entry, *store.Change or *question
	rows    map[int64]*store.Delivery
	emitted []*store.Entry
	fail    error         // of the next claims
	lag     time.Duration // between what a claim sees and its answer
}

type question struct {
	store.Claim
	got  store.Claimed
	then func(store.Claimed, error)
}

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
	m.enqueue(&question{Claim: c, then: then})
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

// commit commits what is queued, all at once.
func (m *memory) commit() {
	m.mu.Lock()
	batch, taker, lag, fail := m.queued, m.taker, m.lag, m.fail
	m.queued = nil
	m.mu.Unlock()
	var taken []*store.Delivery
	write := func(e *store.Entry) {
		for _, d := range e.Deliveries {
			d.Seq, d.Event, d.EventID, d.Due = m.seq.Next(time.Now(), 1), e.Event, e.Event.ID, time.Now()
			d.Claimed = taker.Room(d)
			kept := *d
			m.mu.Lock()
			m.rows[d.Seq] = &kept
			m.mu.Unlock()
			taken = append(taken, d)
		}
	}
	for _, op := range batch {
		if e, ok := op.(*store.Entry); ok {
			write(e)
		}
	}
	var answers []func()
	for _, op := range batch {
		switch op := op.(type) {
		case *store.Change:
			for _, c := range append([]*store.Change{op}, op.Also...) {
				if c.Emit != nil {
					write(c.Emit)
					m.mu.Lock()
					m.emitted = append(m.emitted, c.Emit)
					m.mu.Unlock()
				}
				m.change(c)
			}
			answers = append(answers, op.Committed)
		case *question:
			if fail == nil {
				m.claim(op)
			}
			answers = append(answers, func() { time.AfterFunc(lag, func() { op.then(op.got, fail) }) })
		}
	}
	taker.Take(taken)
	for _, answer := range answers {
		answer()
	}
}

func (m *memory) change(c *store.Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d := m.rows[c.Delivery.Seq]; d.State.Open() {
		d.State, d.Claimed, d.Attempt, d.Last = c.State, c.Claimed, c.Attempts, c.Attempt
	}
}

func (m *memory) claim(q *question) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, seq := range m.seqs() {
		d := m.rows[seq]
		if d.Route != q.Route || d.Gather != q.Gather || !d.State.Open() || d.Claimed {
			continue
		}
		if len(q.got.Deliveries) == q.Limit {
			q.got.More = true
			return
		}
		d.Claimed = true
		mine := *d
		q.got.Deliveries = append(q.got.Deliveries, &mine)
	}
}

func (m *memory) seqs() (list []int64) {
	for seq := range m.rows {
		list = append(list, seq)
	}
	slices.Sort(list)
	return list
}

// ran collects what does not gather: what dispatch would run.
type ran struct {
	mu   sync.Mutex
	list []*store.Delivery
}

func (r *ran) all() []*store.Delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.list)
}

func (r *ran) Room(*store.Delivery) bool { return true }
func (r *ran) Take(ds []*store.Delivery) {
	r.mu.Lock()
	r.list = append(r.list, ds...)
	r.mu.Unlock()
}

// bench is a Gatherer over a store in memory, which may be killed.
type bench struct {
	*Gatherer
	t     *testing.T
	store *memory
	ran   *ran
	rules map[string]Rule
	// cannot refuses to make an input of a group.
	cannot func(members []*store.Delivery) error
	n      int
	stop   func()
}

func newBench(t *testing.T, rules map[string]Rule) *bench {
	time.Sleep(time.Until(time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC))) // ids count from 2020
	b := &bench{
		t: t, rules: rules, ran: &ran{}, store: &memory{wake: make(chan struct{}, 1), rows: map[int64]*store.Delivery{}},
		cannot: func([]*store.Delivery) error { return nil },
	}
	b.run()
	t.Cleanup(func() { b.stop() })
	return b
}

func (b *bench) run() {
	ctx, cancel := context.WithCancel(context.Background())
	b.Gatherer = New(Options{
		Store: b.store, Next: b.ran, Merge: b.merge, Log: zap.NewNop(),
		Route:  func(ev *event.Event) *store.Entry { return &store.Entry{Event: ev} },
		Follow: func(*store.Change) func() { return nil },
	})
	b.store.mu.Lock()
	b.store.taker = b.Gatherer
	open := map[string]bool{}
	for _, d := range b.store.rows {
		open[d.Route] = open[d.Route] || d.Gather && d.State.Open()
	}
	b.store.mu.Unlock()
	for name, is := range open {
		if is {
			b.Recall([]string{name})
		}
	}
	b.Apply(b.rules)
	var wait sync.WaitGroup
	wait.Go(func() { b.store.run(ctx) })
	wait.Go(func() { _ = b.Run(ctx) })
	b.stop = func() { cancel(); wait.Wait() }
}

// kill forgets all but what the store has.
func (b *bench) kill() {
	b.stop()
	b.store.mu.Lock()
	b.store.queued = nil
	for _, d := range b.store.rows {
		d.Claimed = false
	}
	b.store.mu.Unlock()
	b.run()
}

func (b *bench) reload(rules map[string]Rule) {
	b.rules = rules
	b.Apply(rules)
}

var errSize = errors.New("too many for its input")

func (b *bench) merge(members []*store.Delivery) (*store.Entry, error) {
	if err := b.cannot(members); err != nil {
		return nil, err
	}
	if b.rules[members[0].Route].Wait == 0 && len(members) > 1 {
		return nil, errors.New("no debounce any more")
	}
	events := make([]*event.Event, len(members))
	for i, d := range members {
		events[i] = d.Event
	}
	return &store.Entry{
		Event:      event.Group(store.GroupID(members[0].Seq), events),
		Deliveries: []*store.Delivery{{Route: members[0].Route, Key: members[0].Key}},
	}, nil
}

// send commits an event.
func (b *bench) send(key string) *store.Delivery {
	d := b.sendBody(key, nil)
	synctest.Wait()
	return d
}

func (b *bench) sendBody(key string, body []byte) *store.Delivery {
	b.n++
	d := &store.Delivery{Route: "r", Key: key, Gather: true}
	b.store.enqueue(&store.Entry{
		Event:      &event.Event{ID: fmt.Sprint(b.n), Type: "test", Source: "/api", Time: time.Now(), Body: body},
		Deliveries: []*store.Delivery{d},
	})
	return d
}

// row is what is on disk of a delivery.
func (m *memory) row(seq int64) store.Delivery {
	m.mu.Lock()
	defer m.mu.Unlock()
	return *m.rows[seq]
}

// settle lets time pass until nothing moves.
func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
