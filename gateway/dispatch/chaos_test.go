package dispatch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/dispatch/outcome"
	"github.com/event-gateway/gateway/gateway/dispatch/pace"
	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite"
)

// TestChaos lets everything change at random, on the real store: what runs
// fails and is lost, routes change, go and come back, engines crash, the
// gateway restarts. Afterwards every delivery has ended, and on the way none
// has overtaken another of its key or run beside more than it may.
func TestChaos(t *testing.T) {
	for trouble, name := range []string{reloads: "reloads", crashes: "crashes", restarts: "restarts"} {
		t.Run(name, func(t *testing.T) {
			c := newChaos(t, trouble)
			t.Logf("seed %d", c.seed)
			c.open()
			c.load()
			c.settle()
			c.close()
			c.check()
		})
	}
}

// The kinds of trouble, each with those before it.
const (
	reloads = iota
	crashes
	restarts
)

const (
	chaosEvents = 160
	chaosTime   = 500 * time.Millisecond
)

type chaos struct {
	t       *testing.T
	seed    uint64
	trouble int
	dir     string
	engines [2]*program

	mu    sync.Mutex // of the next three
	rand  *rand.Rand
	log   []step
	going map[string]int // runs by route and key

	gate  sync.RWMutex // held while the gateway restarts
	d     *Dispatcher
	store *sqlite.Store
	stop  func()
}

// step is a run that began or came to the delivery's end.
type step struct {
	seq        int64
	route, key string
	ended      bool
}

// counted is an engine whose runs are counted as dispatch sees them.
type counted struct {
	*program
	c *chaos
}

func (e counted) Run(call engine.Call, report func(engine.Update)) error {
	name := call.Workflow + " " + call.Event.Subject
	e.c.count(name, 1)
	err := e.program.Run(call, func(u engine.Update) {
		if u.Kind.Final() {
			e.c.count(name, -1)
		}
		report(u)
	})
	if err != nil {
		e.c.count(name, -1)
	}
	return err
}

func (c *chaos) count(name string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.going[name] += n
	route, _, _ := strings.Cut(name, " ")
	if most := map[string]int{"strict": 1, "bounded": 2}[route]; most > 0 && c.going[name] > most {
		c.t.Errorf("%s: %d run at a time, at most %d may", name, c.going[name], most)
	}
}

func newChaos(t *testing.T, trouble int) *chaos {
	c := &chaos{t: t, seed: rand.Uint64(), trouble: trouble, dir: t.TempDir(), going: map[string]int{}}
	c.rand = rand.New(rand.NewPCG(c.seed, 0))
	for i := range c.engines {
		c.engines[i] = newProgram()
		c.engines[i].script = c.script
		c.engines[i].refuse = c.begin
	}
	c.engines[1].attached = func(string, string, func(engine.Update)) (engine.Update, error) { return engine.Update{}, nil }
	return c
}

func (c *chaos) n(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rand.IntN(n)
}

func (c *chaos) note(s step) {
	c.mu.Lock()
	c.log = append(c.log, s)
	c.mu.Unlock()
}

// begin notes a run before it starts, or refuses it.
func (c *chaos) begin(call engine.Call) error {
	if c.n(50) == 0 {
		return engine.ErrBusy
	}
	seq, _ := store.ParseID(call.Key)
	c.note(step{seq: seq, route: call.Workflow, key: call.Event.Subject})
	return nil
}

func (c *chaos) script(call engine.Call, say func(engine.Update)) {
	seq, _ := store.ParseID(call.Key)
	end := step{seq: seq, route: call.Workflow, key: call.Event.Subject, ended: true}
	if c.n(4) == 0 {
		say(engine.Update{Kind: engine.Accepted, RunID: "run"})
	}
	if c.n(3) == 0 {
		time.Sleep(time.Duration(c.n(3000)) * time.Microsecond)
	}
	switch n := c.n(20); {
	case n < 3:
		say(engine.Update{Kind: engine.Failed})
	case n == 3:
		say(engine.Update{Kind: engine.Failed, Failure: engine.Throttled})
	case n == 4:
		c.note(end)
		say(engine.Update{Kind: engine.Failed, Failure: engine.Permanent})
	default:
		c.note(end)
		say(engine.Update{Kind: engine.Succeeded})
	}
}

func (c *chaos) plan(random bool) *Plan {
	retry := outcome.Retry{Attempts: 1000, Min: time.Millisecond, Max: 5 * time.Millisecond, Jitter: 0.5}
	p := &Plan{
		Engines: map[string]Lane{"e0": {Engine: counted{c.engines[0], c}, InFlight: 5}, "e1": {Engine: counted{c.engines[1], c}, InFlight: 5}},
		Routes: map[string]Rule{
			"strict":  {Engine: "e0", Workflow: "strict", Strict: true, Retry: retry},
			"bounded": {Engine: "e0", Workflow: "bounded", Concurrency: 2, Retry: retry, Rate: pace.Rate{Count: 50, Window: 10 * time.Millisecond}},
			"free":    {Engine: "e1", Workflow: "free", Retry: retry},
		},
	}
	if !random {
		return p
	}
	for _, name := range []string{"strict", "bounded", "free"} {
		rule := p.Routes[name]
		switch c.n(4) {
		case 0:
			delete(p.Routes, name)
			continue
		case 1:
			rule.Engine = "e1"
		case 2:
			if name == "free" {
				rule.Strict = true
			}
			rule.Rate = pace.Rate{Count: 5 + c.n(20), Window: 10 * time.Millisecond}
		}
		p.Routes[name] = rule
	}
	return p
}

// open starts store and dispatcher.
func (c *chaos) open() {
	var dispatching, storing sync.WaitGroup
	d := New(Options{Log: zap.NewNop(), Route: func(ev *event.Event) *store.Entry { return &store.Entry{Event: ev} }})
	s, err := sqlite.Open(sqlite.Options{Dir: c.dir, Taker: d})
	if err != nil {
		c.t.Error(err)
		return
	}
	d.opts.Store = s
	starts, err := s.Starts(context.Background())
	if err != nil {
		c.t.Error(err)
	}
	d.Recall(starts)
	d.Apply(c.plan(false))
	life, end := context.WithCancel(context.Background())
	ctx, cancel := context.WithCancel(context.Background())
	storing.Go(func() { _ = s.Run(life) })
	dispatching.Go(func() { _ = d.Run(ctx) })
	c.d, c.store = d, s
	c.stop = func() {
		cancel()
		dispatching.Wait()
		for _, p := range c.engines { // they die with their gateway
			p.crash()
			p.start()
		}
		end()
		storing.Wait()
		if err := s.Close(); err != nil {
			c.t.Error(err)
		}
	}
}

func (c *chaos) close() { c.stop() }

// load sends events while everything changes.
func (c *chaos) load() {
	var senders, trouble sync.WaitGroup
	done := make(chan struct{})
	for i := range 4 {
		senders.Go(func() { c.send(i) })
	}
	trouble.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Duration(c.n(int(chaosTime / 20)))):
				c.disturb()
			}
		}
	})
	senders.Wait()
	time.Sleep(chaosTime / 4)
	close(done)
	trouble.Wait()
}

func (c *chaos) send(sender int) {
	for i := range chaosEvents / 4 {
		ev := &event.Event{ID: fmt.Sprintf("%d-%d", sender, i), Type: "t", Source: "/api", Subject: fmt.Sprint("key-", c.n(4))}
		e := &store.Entry{Event: ev}
		for _, route := range []string{"strict", "bounded", "free"} {
			e.Deliveries = append(e.Deliveries, &store.Delivery{Route: route, Key: ev.Subject})
		}
		c.gate.RLock()
		_, err := c.store.Append(context.Background(), e)
		c.gate.RUnlock()
		if err != nil {
			c.t.Error(err)
			return
		}
		time.Sleep(time.Duration(c.n(int(8*chaosTime/chaosEvents))) / 2)
	}
}

func (c *chaos) disturb() {
	switch n := c.n(10); {
	case n < 5 || c.trouble == reloads:
		c.d.Apply(c.plan(true))
	case n < 8:
		p := c.engines[c.n(2)]
		p.crash()
		time.Sleep(time.Duration(c.n(int(10 * time.Millisecond))))
		p.start()
	case c.trouble == restarts:
		c.gate.Lock()
		c.stop()
		c.open()
		c.gate.Unlock()
	}
}

// settle waits, in peace, until nothing is open.
func (c *chaos) settle() {
	c.d.Apply(c.plan(false))
	deadline := time.Now().Add(30 * time.Second)
	for c.store.Stats().Open > 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if open := c.store.Stats().Open; open != 0 {
		c.t.Errorf("%d open in the end", open)
	}
}

func (c *chaos) check() {
	c.t.Helper()
	ended := map[int64]int{}
	for _, s := range c.log {
		if s.ended {
			ended[s.seq]++
		}
	}
	if len(ended) != 3*chaosEvents {
		c.t.Errorf("%d of %d deliveries ended in an engine", len(ended), 3*chaosEvents)
	}
	for seq, n := range ended {
		// A crash between an end and its report repeats a run, as it must.
		if n != 1 && c.trouble == reloads {
			c.t.Errorf("%s ended %d times", store.FormatID(seq), n)
		}
	}
	c.checkOrder()
	c.checkRows()
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	if len(c.d.running) != 0 || c.d.bytes != 0 {
		c.t.Errorf("left: %d running, %d bytes", len(c.d.running), c.d.bytes)
	}
}

// checkOrder: when a delivery of the strict route begins, all older ones of
// its key have ended.
func (c *chaos) checkOrder() {
	older := map[string][]int64{} // by key
	for _, s := range c.log {
		if s.route == "strict" && s.ended {
			older[s.key] = append(older[s.key], s.seq)
		}
	}
	done := map[int64]bool{}
	for _, s := range c.log {
		switch {
		case s.ended:
			done[s.seq] = true
		case s.route == "strict":
			for _, seq := range older[s.key] {
				if seq < s.seq && !done[seq] {
					c.t.Errorf("%s began before %s of the same key had ended", store.FormatID(s.seq), store.FormatID(seq))
				}
			}
		}
	}
}

// checkRows: in the store every delivery has ended, with a whole history.
func (c *chaos) checkRows() {
	s, err := sqlite.Open(sqlite.Options{Dir: c.dir})
	if err != nil {
		c.t.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	list, err := s.Deliveries(ctx, store.DeliveryFilter{Page: store.Page{Limit: 10 * chaosEvents}})
	if err != nil || len(list) != 3*chaosEvents {
		c.t.Fatalf("%d deliveries, %v", len(list), err)
	}
	for _, del := range list {
		_, history, err := s.Delivery(ctx, del.Seq)
		if err != nil || del.State.Open() || len(history) != del.Attempt {
			c.t.Errorf("%s: %v after %d attempts with %d in the history, %v", del.ID(), del.State, del.Attempt, len(history), err)
		}
		for i, a := range history {
			if a.Number != i+1 {
				c.t.Errorf("%s: attempt %d is number %d", del.ID(), i+1, a.Number)
			}
		}
	}
}
