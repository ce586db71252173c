package dispatch

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/event-gateway/gateway/gateway/dispatch/outcome"
	"github.com/event-gateway/gateway/gateway/dispatch/pace"
	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/store"
)

// clock notes when an engine was called for each route.
type clock struct {
	mu sync.Mutex
	at map[string][]time.Time
}

// noting makes an engine note its calls, whatever its script.
func noting(p *program) *clock {
	c := &clock{at: map[string][]time.Time{}}
	p.refuse = func(call engine.Call) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.at[call.Workflow] = append(c.at[call.Workflow], time.Now())
		return nil
	}
	return c
}

// starts since the first, in whole steps.
func (c *clock) starts(route string, step time.Duration) (steps []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, at := range c.at[route] {
		steps = append(steps, int(at.Sub(c.at[route][0])/step))
	}
	return steps
}

// most starts that a window has.
func (c *clock) most(route string, window time.Duration) (most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, from := range c.at[route] {
		n := 0
		for _, at := range c.at[route][i:] {
			if at.Sub(from) < window {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

func expect(t *testing.T, what string, got, want []int) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// What is over the rate waits in its order, uses no attempt and keeps nobody
// else from running.
func TestRate(t *testing.T) {
	for _, strict := range []bool{false, true} {
		t.Run(fmt.Sprintf("strict=%t", strict), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newProgram()
				c := noting(p)
				b := newBench(t, &Plan{Engines: map[string]Lane{"e": {Engine: p, InFlight: 1}}, Routes: map[string]Rule{
					"r":    {Engine: "e", Workflow: "r", Strict: strict, Rate: pace.Rate{Count: 3, Window: 10 * time.Second}, Priority: 1},
					"free": {Engine: "e", Workflow: "free"},
				}})
				settle(time.Second)
				for range 8 {
					b.send("r", "")
					b.send("free", "")
				}
				settle(time.Second)
				expect(t, "free ones ran", c.starts("free", time.Second), make([]int, 8))
				if !b.Held("r") || b.Held("free") || b.Held("none") {
					t.Error("it does not say what waits for its rate")
				}
				if r := b.store.all()[14]; r.State != store.Pending || !r.FirstAttemptAt.IsZero() {
					t.Errorf("while it waits: %+v", r)
				}
				settle(time.Minute)
				expect(t, "in seconds", c.starts("r", time.Second), []int{0, 0, 0, 10, 10, 10, 20, 20})
				if b.Held("r") {
					t.Error("nothing waits any more")
				}
				var seqs []string
				for _, call := range p.called() {
					if call.Workflow == "r" {
						seqs = append(seqs, call.Key)
					}
				}
				if !slices.IsSorted(seqs) {
					t.Errorf("out of order: %v", seqs)
				}
				for _, r := range b.store.all() {
					if r.State != store.Succeeded || r.Attempt != 1 {
						t.Errorf("%+v", r)
					}
				}
				b.leftovers()
			})
		})
	}
}

// Retries count like first attempts.
func TestRateCountsRetries(t *testing.T) {
	for _, strict := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := newProgram()
			c := noting(p)
			p.script = failing(engine.Retryable, 0)
			b := newBench(t, one(p, Rule{
				Workflow: "r", Strict: strict, Rate: pace.Rate{Count: 2, Window: time.Minute}, Retry: outcome.Retry{Attempts: 3, Min: time.Second, Max: time.Second},
			}))
			settle(time.Second)
			b.send("r", "")
			b.send("r", "")
			settle(time.Hour)
			expect(t, "in minutes", c.starts("r", time.Minute), []int{0, 0, 1, 1, 2, 2})
			b.leftovers()
		})
	}
}

// A refusal is no start: when the engine takes runs again they start at once.
func TestRateIsNotUsedByRefusals(t *testing.T) {
	for _, refusal := range []error{engine.ErrBusy, engine.ErrInFlight, engine.ErrDown} {
		synctest.Test(t, func(t *testing.T) {
			p := newProgram()
			refused := 0
			p.refuse = func(engine.Call) error { refused++; return refusal }
			b := newBench(t, one(p, Rule{Workflow: "r", Rate: pace.Rate{Count: 1, Window: time.Hour}, Retry: outcome.Retry{GiveUpAfter: time.Second}}))
			settle(time.Second)
			del := b.send("r", "")
			settle(5 * time.Second)
			if r := b.store.get(del.Seq); refused < 3 || r.State != store.Pending || !r.FirstAttemptAt.IsZero() {
				t.Errorf("%v: after %d refusals %+v", refusal, refused, r)
			}
			p.mu.Lock()
			p.refuse = nil
			p.mu.Unlock()
			settle(2 * time.Second)
			if r := b.store.get(del.Seq); r.State != store.Succeeded || r.Attempt != 1 {
				t.Errorf("%v: %+v", refusal, r)
			}
			b.leftovers()
		})
	}
}

// A window goes on over a restart, and whatever makes the gateway end again and
// again is not run more often by that, whether the engine can be asked or not.
func TestRateOverRestarts(t *testing.T) {
	for _, asked := range []bool{false, true} {
		t.Run(fmt.Sprintf("asked=%t", asked), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newProgram()
				c := noting(p)
				p.script = func(engine.Call, func(engine.Update)) {} // it never ends
				if asked {
					p.attached = func(string, string, func(engine.Update)) (engine.Update, error) { return engine.Update{}, nil }
				}
				b := newBench(t, one(p, Rule{Workflow: "r", Rate: pace.Rate{Count: 2, Window: time.Minute}}))
				for range 3 {
					b.send("r", "")
				}
				for range 20 {
					settle(11 * time.Second)
					b.restart()
					p.crash()
					p.start()
				}
				if most := c.most("r", time.Minute); most != 2 {
					t.Errorf("%d starts in a minute, want 2: %v", most, c.starts("r", time.Second))
				}
				if n := len(c.starts("r", time.Second)); n < 8 {
					t.Errorf("%d starts in almost four minutes", n)
				}
				p.mu.Lock()
				p.script = nil
				p.mu.Unlock()
				b.restart()
				p.crash()
				p.start()
				settle(10 * time.Minute)
				for _, r := range b.store.all() {
					if r.State != store.Succeeded || r.Attempt != 1 {
						t.Errorf("%+v", r)
					}
				}
				b.leftovers()
			})
		})
	}
}

// What the engine runs already is asked for after a restart, however full the
// window is and whatever else waits.
func TestRateHoldsNoRunningOnesUp(t *testing.T) {
	const backlog = 3000 // more than memory takes of what can't start
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		c := noting(p)
		p.script = func(call engine.Call, say func(engine.Update)) {
			if call.Event.ID != nameOf(backlog+1) {
				say(engine.Update{Kind: engine.Failed})
			}
		}
		p.attached = func(string, string, func(engine.Update)) (engine.Update, error) {
			return engine.Update{Kind: engine.Running}, nil
		}
		plan := one(p, Rule{Workflow: "r", Rate: pace.Rate{Count: 3, Window: time.Hour}, Retry: outcome.Retry{Attempts: 2}})
		plan.Engines["e"] = Lane{Engine: p, InFlight: 1}
		b := newBench(t, plan)
		p.crash()
		settle(time.Second)
		for range backlog {
			b.send("r", "a")
		}
		settle(time.Millisecond)
		b.send("r", "b")
		settle(time.Second)
		p.start()
		settle(time.Second)
		b.restart()
		settle(3 * time.Second)
		running := b.Runs()
		if len(running) != 1 || running[0].EventID != nameOf(backlog+1) || len(c.starts("r", time.Hour)) != 3 {
			t.Errorf("after the restart %d run, %d have been started: %+v", len(running), len(c.starts("r", time.Hour)), running)
		}
	})
}

// Likewise what is running is asked for before what has waited longer for the
// same key, and before other keys whose turn it was.
func TestRateAsksForRunningOnesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		p.script = func(engine.Call, func(engine.Update)) {}
		p.refuse = func(call engine.Call) error {
			if call.Event.ID < nameOf(6) {
				return engine.ErrInFlight
			}
			return nil
		}
		p.attached = func(string, string, func(engine.Update)) (engine.Update, error) {
			return engine.Update{Kind: engine.Running}, nil
		}
		b := newBench(t, one(p, Rule{Workflow: "r", Rate: pace.Rate{Count: 1, Window: time.Hour}}))
		settle(time.Second)
		for _, key := range []string{"j", "j", "k", "k", "k"} {
			b.send("r", key)
		}
		settle(100 * time.Millisecond)
		b.send("r", "k")
		settle(time.Minute)
		b.restart()
		settle(time.Second)
		if running := b.Runs(); len(running) != 1 || running[0].EventID != nameOf(6) {
			t.Errorf("after the restart there run %+v", running)
		}
	})
}

// A reload keeps what has been counted. Another rate is in force at once.
func TestRateOverReloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		c := noting(p)
		plan := func(n int, window time.Duration) *Plan {
			return one(p, Rule{Workflow: "r", Rate: pace.Rate{Count: n, Window: window}})
		}
		without := &Plan{Engines: plan(0, 0).Engines, Routes: map[string]Rule{}}
		b := newBench(t, plan(2, time.Hour))
		settle(time.Second)
		for range 12 {
			b.send("r", "")
		}
		settle(time.Minute)
		b.Apply(plan(2, time.Hour))
		settle(time.Minute)
		b.Apply(without)
		settle(time.Minute)
		b.Apply(plan(2, time.Hour))
		settle(time.Minute)
		expect(t, "after reloads that change nothing", c.starts("r", time.Minute), []int{0, 0})
		b.Apply(plan(4, time.Hour))
		settle(time.Second)
		expect(t, "with more", c.starts("r", time.Minute), []int{0, 0, 4, 4})
		b.Apply(plan(4, 5*time.Minute))
		settle(90 * time.Second)
		expect(t, "with a shorter window", c.starts("r", time.Minute), []int{0, 0, 4, 4, 5, 5})
		b.Apply(plan(0, 0))
		settle(time.Second)
		expect(t, "without", c.starts("r", time.Minute), []int{0, 0, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5})
		b.leftovers()
	})
}

// A run that a person discards on its way to the engine does not start.
func TestRateAndDiscard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		b := newBench(t, one(p, Rule{Workflow: "r", Rate: pace.Rate{Count: 1, Window: time.Hour}}))
		settle(time.Second)
		first, second := b.send("r", ""), b.send("r", "")
		settle(time.Second)
		b.Discard(second.Seq)
		third := b.send("r", "")
		settle(2 * time.Hour)
		var keys []string
		for _, call := range p.called() {
			keys = append(keys, call.Key)
		}
		if want := []string{first.ID(), third.ID()}; !slices.Equal(keys, want) {
			t.Errorf("ran %v, want %v", keys, want)
		}
		b.leftovers()
	})
}

// However long the store takes to write a start, that is no part of the run.
func TestRateAndASlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		b := newBench(t, one(p, Rule{Workflow: "r", Timeout: time.Second, Rate: pace.Rate{Count: 1, Window: time.Hour}}))
		settle(time.Second)
		b.store.stick(true)
		del := b.send("r", "")
		settle(time.Minute)
		if len(p.called()) != 0 {
			t.Fatal("started before the store knew of it")
		}
		b.store.stick(false)
		settle(time.Second)
		calls := p.called()
		if r := b.store.get(del.Seq); r.State != store.Succeeded || r.Attempt != 1 || len(calls) != 1 || !calls[0].Deadline.After(calls[0].FirstAttemptAt.Add(50*time.Second)) {
			t.Errorf("%+v after the calls %+v", r, calls)
		}
		b.leftovers()
	})
}

// Nor does it make more of them start in a window than may, when several have
// been written at last, or after a restart.
func TestRateIsKeptByASlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		c := noting(p)
		b := newBench(t, one(p, Rule{Workflow: "r", Rate: pace.Rate{Count: 1, Window: time.Minute}}))
		settle(time.Second)
		b.store.stick(true)
		for range 4 {
			b.send("r", "")
		}
		settle(3*time.Minute + 30*time.Second)
		b.store.stick(false)
		settle(10 * time.Second)
		expect(t, "when it goes on", c.starts("r", time.Second), []int{0})
		b.restart()
		settle(40 * time.Second)
		expect(t, "less than a window later", c.starts("r", time.Second), []int{0})
		settle(3 * time.Minute)
		if most := c.most("r", time.Minute); most != 1 || len(c.starts("r", time.Second)) != 4 {
			t.Errorf("%d in a minute: %v", most, c.starts("r", time.Second))
		}
		for _, r := range b.store.all() {
			if r.State != store.Succeeded || r.Attempt != 1 {
				t.Errorf("%+v", r)
			}
		}
		b.leftovers()
	})
}
