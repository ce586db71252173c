package dispatch

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/event-gateway/gateway/gateway/dispatch/outcome"
	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
)

// one is a plan of one engine and one route, r.
func one(p *program, rule Rule) *Plan {
	rule.Engine = "e"
	return &Plan{Engines: map[string]Lane{"e": {Engine: p, InFlight: 8}}, Routes: map[string]Rule{"r": rule}}
}

func failing(kind engine.FailureKind, after time.Duration) func(engine.Call, func(engine.Update)) {
	return func(_ engine.Call, say func(engine.Update)) {
		say(engine.Update{Kind: engine.Failed, Failure: kind, Message: "no", RetryAfter: after})
	}
}

// settle lets time pass until nothing moves.
func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestRunsWhatIsCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		b := newBench(t, one(p, Rule{Workflow: "w", Timeout: time.Minute}))
		settle(time.Second)
		before := time.Now()
		del := b.send("r", "")
		settle(10 * time.Millisecond)
		calls := p.called()
		if len(calls) != 1 {
			t.Fatalf("%d calls", len(calls))
		}
		c := calls[0]
		if c.Key != del.ID() || c.Workflow != "w" || c.Attempt != 1 || !c.FirstAttemptAt.Equal(before) || !c.Deadline.Equal(before.Add(time.Minute)) {
			t.Errorf("call %+v", c)
		}
		if r := b.store.get(del.Seq); r.State != store.Succeeded || r.Attempt != 1 || r.Last.Outcome != "succeeded" {
			t.Errorf("stored %+v", r)
		}
		if len(b.seen) != 1 || b.seen[0].Route != "r" || b.seen[0].Engine != "e" || b.seen[0].Outcome != "succeeded" {
			t.Errorf("observed %+v", b.seen)
		}
		b.leftovers()
	})
}

// A retry that was stored while a claim was being answered is not forgotten.
func TestRetryBesideALateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		p.script = failing(engine.Retryable, 0)
		b := newLaggingBench(t, one(p, Rule{Retry: outcome.Retry{Attempts: 2, Min: time.Second, Max: time.Second}}), 300*time.Millisecond)
		settle(100 * time.Millisecond) // the first look into the store is not answered yet
		del := b.send("r", "")
		settle(5 * time.Second)
		if r := b.store.get(del.Seq); len(p.called()) != 2 || r.State != store.Dead {
			t.Errorf("%d attempts, %s", len(p.called()), r.State)
		}
	})
}

// What went back to the store while a claim was being answered is older than
// the answer, and comes first on a strict route.
func TestOrderBesideALateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		fail := make(chan struct{})
		p.script = func(c engine.Call, say func(engine.Update)) {
			if c.Attempt > 1 || len(p.called()) > 1 {
				say(engine.Update{Kind: engine.Succeeded})
				return
			}
			go func() {
				<-fail
				say(engine.Update{Kind: engine.Failed, Failure: engine.Retryable})
			}()
		}
		with := one(p, Rule{Strict: true, Retry: outcome.Retry{Attempts: 3, Min: time.Second, Max: time.Second}})
		without := &Plan{Engines: with.Engines, Routes: map[string]Rule{}}
		b := newLaggingBench(t, with, 300*time.Millisecond)
		settle(100 * time.Millisecond) // the first look is under way: what comes stays in the store
		first := b.send("r", "k")
		settle(300 * time.Millisecond) // the second look is
		second := b.send("r", "k")
		settle(250 * time.Millisecond) // the first runs, and the third look has seen the second alone
		b.Apply(without)
		close(fail)
		settle(10 * time.Millisecond) // now the first is back in the store
		b.Apply(with)
		settle(10 * time.Second)
		var order []string
		for _, c := range p.called() {
			order = append(order, c.Key)
		}
		if want := []string{first.ID(), first.ID(), second.ID()}; !slices.Equal(order, want) {
			t.Errorf("ran %v, want %v", order, want)
		}
	})
}

func TestRetrySchedule(t *testing.T) {
	for _, strict := range []bool{false, true} {
		t.Run(fmt.Sprintf("strict=%t", strict), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newProgram()
				p.script = failing(engine.Retryable, 0)
				b := newBench(t, one(p, Rule{Strict: strict, Retry: outcome.Retry{Attempts: 5, Min: time.Second, Max: 3 * time.Second}}))
				settle(time.Second)
				var at []time.Time
				inner := p.script
				p.script = func(c engine.Call, say func(engine.Update)) { at = append(at, time.Now()); inner(c, say) }
				del := b.send("r", "")
				settle(time.Minute)
				want := []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second}
				if len(at) != 5 {
					t.Fatalf("%d attempts", len(at))
				}
				for i, w := range want {
					if got := at[i+1].Sub(at[i]); got < w || got > w+2*tickTime {
						t.Errorf("wait %d: %v, want %v", i+1, got, w)
					}
				}
				for i, c := range p.called() {
					if c.Attempt != i+1 || c.Key != del.ID() || !c.FirstAttemptAt.Equal(at[0]) {
						t.Errorf("call %d: %+v", i, c)
					}
				}
				r := b.store.get(del.Seq)
				if r.State != store.Dead || r.Attempt != 5 || len(r.history) != 5 || r.Last.Message != "no" {
					t.Errorf("stored %+v", r)
				}
				b.leftovers()
			})
		})
	}
}

func TestThrottledUsesNoAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		p.script = func(c engine.Call, say func(engine.Update)) {
			if c.Attempt < 6 {
				failing(engine.Throttled, 0)(c, say)
			} else {
				say(engine.Update{Kind: engine.Succeeded, Output: []byte("1")})
			}
		}
		b := newBench(t, one(p, Rule{Retry: outcome.Retry{Attempts: 1, Min: time.Second, Max: time.Second}}))
		del := b.send("r", "")
		settle(time.Minute)
		r := b.store.get(del.Seq)
		if r.State != store.Succeeded || r.Attempt != 6 || r.Throttled != 5 || string(r.Last.Output) != "1" {
			t.Errorf("stored %+v", r)
		}
		b.leftovers()
	})
}

func TestDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		p.script = failing(engine.Permanent, 0)
		b := newBench(t, one(p, Rule{Workflow: "w", Retry: outcome.Retry{Attempts: 9, Min: time.Second}}))
		b.routes = func(ev *event.Event) []string {
			if ev.Type != outcome.DeadType || ev.Source != "/gateway" || ev.Subject != "r" {
				t.Errorf("dead letter %+v", ev)
			}
			return []string{"r"}
		}
		del := b.send("r", "")
		settle(time.Minute)
		rows := b.store.all()
		if len(rows) != 2 || rows[0].State != store.Dead || rows[1].State != store.Dead {
			t.Fatalf("want the delivery and its dead letter, both dead: %+v", rows)
		}
		var body struct {
			Delivery, Route, Engine, Workflow, Outcome, Message string
			Attempts                                            int
			Event                                               struct{ ID, Type string }
		}
		if err := json.Unmarshal(rows[1].Event.Body, &body); err != nil {
			t.Fatal(err)
		}
		if body.Delivery != del.ID() || body.Route != "r" || body.Engine != "e" || body.Workflow != "w" ||
			body.Outcome != "permanent" || body.Message != "no" || body.Attempts != 1 || body.Event.ID != del.EventID {
			t.Errorf("body %s", rows[1].Event.Body)
		}
		b.leftovers()
	})
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		p.script = func(c engine.Call, say func(engine.Update)) {
			if c.Attempt == 1 {
				time.Sleep(2 * time.Second) // ends within the grace
				say(engine.Update{Kind: engine.Failed, Failure: engine.Permanent, Message: "cancelled"})
			} // the second never ends
		}
		b := newBench(t, one(p, Rule{Timeout: time.Second, Retry: outcome.Retry{Attempts: 2, Min: time.Second, Max: time.Second}}))
		settle(time.Second)
		del := b.send("r", "")
		settle(time.Second + 2*tickTime)
		if got := p.asked(); len(got) != 1 || got[0] != del.ID() {
			t.Errorf("cancelled %v", got)
		}
		settle(3 * time.Second)
		if r := b.store.get(del.Seq); len(r.history) != 1 || r.history[0].Outcome != "timeout" || r.history[0].Message != "cancelled" {
			t.Errorf("after the grace: %+v", r)
		}
		settle(10 * time.Second)
		r := b.store.get(del.Seq)
		if r.State != store.Dead || len(r.history) != 2 || r.Last.Outcome != "timeout" || len(p.forgotten) != 1 {
			t.Errorf("given up: %+v, forgotten %v", r, p.forgotten)
		}
		b.leftovers()
	})
}

func TestRunningIsRecordedWhenItLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		p.script = func(_ engine.Call, say func(engine.Update)) {
			time.Sleep(time.Second)
			say(engine.Update{Kind: engine.Accepted, RunID: "run-7"})
			time.Sleep(time.Second)
			say(engine.Update{Kind: engine.Succeeded})
		}
		b := newBench(t, one(p, Rule{}))
		settle(time.Second)
		del := b.send("r", "")
		settle(100 * time.Millisecond)
		if r := b.store.get(del.Seq); r.State != store.Pending || !b.InFlight(del.Seq) {
			t.Errorf("at once: %v, in flight %t", r.State, b.InFlight(del.Seq))
		}
		settle(200 * time.Millisecond)
		if r := b.store.get(del.Seq); r.State != store.Running || r.RunID != "" || r.Last.Number != 1 {
			t.Errorf("soon: %+v", r)
		}
		settle(time.Second)
		if r := b.store.get(del.Seq); r.State != store.Running || r.RunID != "run-7" || !r.Claimed {
			t.Errorf("accepted: %+v", r)
		}
		settle(time.Second)
		if r := b.store.get(del.Seq); r.State != store.Succeeded || r.RunID != "run-7" || b.InFlight(del.Seq) {
			t.Errorf("ended: %+v", r)
		}
	})
}

// order notes the keys' order and how many run at a time.
type order struct {
	mu        sync.Mutex
	now, most int
	ended     []string
}

// list are the events that have ended, peak how many ran at a time.
func (o *order) list() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.ended)
}

func (o *order) peak() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.most
}

func (o *order) script(takes time.Duration, fails func(engine.Call) bool) func(engine.Call, func(engine.Update)) {
	return func(c engine.Call, say func(engine.Update)) {
		o.mu.Lock()
		o.now++
		o.most = max(o.most, o.now)
		o.mu.Unlock()
		time.Sleep(takes)
		o.mu.Lock()
		o.now--
		o.mu.Unlock()
		if fails != nil && fails(c) {
			say(engine.Update{Kind: engine.Failed})
			return
		}
		o.mu.Lock()
		o.ended = append(o.ended, c.Event.ID)
		o.mu.Unlock()
		say(engine.Update{Kind: engine.Succeeded})
	}
}

func TestStrictOrderWithAFailingHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		var o order
		p.script = o.script(time.Millisecond, func(c engine.Call) bool { return c.Event.ID == nameOf(1) && c.Attempt < 4 })
		b := newBench(t, one(p, Rule{Strict: true, Retry: outcome.Retry{Attempts: 9, Min: time.Minute, Max: time.Minute}}))
		settle(time.Second)
		for range 3 {
			b.send("r", "a")
		}
		settle(10 * time.Second)
		b.send("r", "b")
		settle(time.Second)
		if !slices.Equal(o.list(), []string{nameOf(4)}) {
			t.Errorf("another key waited: %v", o.list())
		}
		settle(time.Hour)
		if want := []string{nameOf(4), nameOf(1), nameOf(2), nameOf(3)}; !slices.Equal(o.list(), want) {
			t.Errorf("order %v, want %v", o.list(), want)
		}
		b.leftovers()
	})
}

// Of a strict route, keys that fail may fill what memory there is; the others
// go on, and the order holds for what was left in the store.
func TestStrictOrderWithMemoryFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		var o order
		var bad atomic.Bool
		bad.Store(true)
		p.script = o.script(time.Millisecond, func(c engine.Call) bool { return bad.Load() && len(c.Event.Body) == 1 })
		b := newBench(t, one(p, Rule{Strict: true, Retry: outcome.Retry{Attempts: 1000, Min: time.Minute, Max: time.Minute}}))
		settle(time.Second)
		n := maxHeld + maxHeld/2
		for range n {
			b.sendBody("r", "bad", []byte("x"))
		}
		settle(10 * time.Second)
		for range 5 {
			b.send("r", "good")
			settle(2 * time.Second)
		}
		if len(o.list()) != 5 {
			t.Fatalf("%d of 5 of the good key ended", len(o.list()))
		}
		bad.Store(false)
		settle(10 * time.Minute)
		if len(o.list()) != n+5 || !slices.IsSorted(o.list()[5:]) {
			t.Errorf("%d ended of %d, in order: %t", len(o.list()), n+5, slices.IsSorted(o.list()[5:]))
		}
		b.leftovers()
	})
}

func TestConcurrencyPerKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		var o order
		p.script = o.script(time.Second, nil)
		b := newBench(t, one(p, Rule{Concurrency: 2}))
		for range 10 {
			b.send("r", "a")
		}
		settle(4500 * time.Millisecond)
		if o.peak() != 2 || len(o.list()) != 8 {
			t.Errorf("%d at a time, %d ended", o.peak(), len(o.list()))
		}
		b.send("r", "b")
		settle(900 * time.Millisecond)
		if o.peak() != 3 {
			t.Errorf("another key did not run beside: %d", o.peak())
		}
		settle(time.Minute)
		b.leftovers()
	})
}

func TestInFlightIsSharedFairly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		var o order
		p.script = o.script(time.Second, nil)
		b := newBench(t, &Plan{
			Engines: map[string]Lane{"e": {Engine: p, InFlight: 4}},
			Routes:  map[string]Rule{"busy": {Engine: "e", Workflow: "busy"}, "calm": {Engine: "e", Workflow: "calm"}},
		})
		for range 1000 {
			b.send("busy", "")
		}
		settle(5500 * time.Millisecond)
		for range 10 {
			b.send("calm", "")
		}
		settle(6 * time.Second)
		if o.peak() != 4 {
			t.Errorf("%d at a time", o.peak())
		}
		calm := 0
		for _, c := range p.called() {
			if c.Workflow == "calm" {
				calm++
			}
		}
		if calm != 10 {
			t.Errorf("the calm route got %d of 10 runs in five turns", calm)
		}
		settle(time.Hour)
		b.leftovers()
	})
}

func TestEngineDownUsesNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		p.crash()
		b := newBench(t, one(p, Rule{Retry: outcome.Retry{Attempts: 1, GiveUpAfter: time.Second}}))
		del := b.send("r", "")
		settle(time.Hour)
		if r := b.store.get(del.Seq); r.State != store.Pending || r.Attempt != 0 || !r.FirstAttemptAt.IsZero() {
			t.Errorf("while down: %+v", r)
		}
		p.start()
		settle(time.Second)
		if r := b.store.get(del.Seq); r.State != store.Succeeded || r.Attempt != 1 {
			t.Errorf("when up: %+v", r)
		}
		b.leftovers()
	})
}

func TestRefusalsAreNoAttempts(t *testing.T) {
	for _, refusal := range []error{engine.ErrBusy, engine.ErrInFlight, engine.ErrDown} {
		synctest.Test(t, func(t *testing.T) {
			p := newProgram()
			tries := 0
			p.refuse = func(engine.Call) error { tries++; return refusal }
			b := newBench(t, one(p, Rule{Retry: outcome.Retry{Attempts: 1}}))
			del := b.send("r", "")
			settle(10 * time.Second)
			if tries < 5 || tries > 210 {
				t.Errorf("%v: %d tries in ten seconds", refusal, tries)
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

// One key that its engine still has in flight holds nobody else up.
func TestInFlightKeyHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		first := nameOf(1)
		p.refuse = func(c engine.Call) error {
			if c.Event.ID == first {
				return engine.ErrInFlight
			}
			return nil
		}
		b := newBench(t, one(p, Rule{}))
		for range 1000 {
			b.send("r", "")
		}
		settle(time.Second)
		if n := len(p.called()); n != 999 {
			t.Errorf("%d of 999 ran", n)
		}
	})
}

func TestTooLargeIsPermanent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		p.refuse = func(engine.Call) error { return &engine.TooLargeError{Size: 9, Max: 3} }
		b := newBench(t, one(p, Rule{Retry: outcome.Retry{Attempts: 9, Min: time.Second}}))
		del := b.send("r", "")
		settle(time.Second)
		if r := b.store.get(del.Seq); r.State != store.Dead || r.Last.Outcome != "permanent" || !strings.Contains(r.Last.Message, "9 bytes") {
			t.Errorf("%+v", r)
		}
	})
}

func TestLostIsAskedFor(t *testing.T) {
	for _, test := range []struct {
		name  string
		knows engine.UpdateKind
		calls int
	}{
		{"unknown: started again", engine.Unknown, 2},
		{"running: attached", engine.Running, 1},
		{"succeeded meanwhile", engine.Succeeded, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newProgram()
				p.script = func(c engine.Call, say func(engine.Update)) {
					say(engine.Update{Kind: engine.Accepted, RunID: "run-1"})
					time.Sleep(time.Minute)
					say(engine.Update{Kind: engine.Succeeded})
				}
				asked := 0
				p.attached = func(key, runID string, say func(engine.Update)) (engine.Update, error) {
					asked++
					if runID != "run-1" {
						t.Errorf("asked for run %q", runID)
					}
					if asked == 1 {
						return engine.Update{}, errors.New("the connection broke")
					}
					return engine.Update{Kind: test.knows}, nil
				}
				b := newBench(t, one(p, Rule{Retry: outcome.Retry{Attempts: 1}}))
				del := b.send("r", "")
				settle(time.Second)
				p.crash()
				settle(time.Second)
				p.start()
				settle(3 * time.Minute)
				r := b.store.get(del.Seq)
				if r.State != store.Succeeded || r.Attempt != 1 || asked != 2 || len(p.called()) != test.calls {
					t.Errorf("%+v asked %d called %d", r, asked, len(p.called()))
				}
				b.leftovers()
			})
		})
	}
}

// A run that kills its engine every time is a failing run.
func TestWhatKillsItsEngineFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		p.script = func(engine.Call, func(engine.Update)) {
			go func() { p.crash(); p.start() }()
		}
		b := newBench(t, one(p, Rule{Retry: outcome.Retry{Attempts: 2, Min: time.Second, Max: time.Second}}))
		del := b.send("r", "")
		settle(time.Minute)
		r := b.store.get(del.Seq)
		if r.State != store.Dead || r.Attempt != 2 || len(p.called()) != 2*(maxLost+1) || !strings.Contains(r.Last.Message, "went away") {
			t.Errorf("%+v after %d calls", r, len(p.called()))
		}
		b.leftovers()
	})
}

func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		p.attached = func(key, runID string, say func(engine.Update)) (engine.Update, error) {
			go func() { time.Sleep(time.Second); say(engine.Update{Kind: engine.Succeeded}) }()
			return engine.Update{Kind: engine.Running}, nil
		}
		p.script = func(c engine.Call, say func(engine.Update)) {
			if c.Event.ID != nameOf(1) {
				say(engine.Update{Kind: engine.Succeeded})
			}
		}
		b := newBench(t, one(p, Rule{Strict: true}))
		settle(time.Second)
		for range 3 {
			b.send("r", "a")
		}
		settle(time.Second)
		b.restart() // after the grace: the first goes on
		settle(time.Minute)
		for _, r := range b.store.all() {
			if r.State != store.Succeeded || r.Attempt != 1 {
				t.Errorf("%+v", r)
			}
		}
		b.leftovers()
	})
}

func TestDrainWaitsForRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		var o order
		p.script = o.script(3*time.Second, nil)
		b := newBench(t, one(p, Rule{Strict: true}))
		b.send("r", "")
		b.send("r", "")
		settle(time.Second)
		begin := time.Now()
		b.stop()
		if took := time.Since(begin); took < 2*time.Second || took > 2*time.Second+2*tickTime {
			t.Errorf("drained in %v", took)
		}
		b.store.commit()
		rows := b.store.all()
		if rows[0].State != store.Succeeded || rows[1].State != store.Pending || len(p.called()) != 1 {
			t.Errorf("after draining: %v %v, %d calls", rows[0].State, rows[1].State, len(p.called()))
		}
	})
}

func TestWaitingRunsTakeNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		p.script = func(c engine.Call, say func(engine.Update)) {
			if c.Event.ID <= nameOf(100) {
				say(engine.Update{Kind: engine.Waiting, Prompt: "ship it?"})
			} else {
				say(engine.Update{Kind: engine.Succeeded})
			}
		}
		plan := one(p, Rule{Timeout: time.Second})
		b := newBench(t, plan)
		var dels []*store.Delivery
		for range 101 {
			dels = append(dels, b.send("r", ""))
		}
		settle(time.Hour)
		if r := b.store.get(dels[0].Seq); r.State != store.Waiting || r.Last.Message != "ship it?" {
			t.Errorf("waiting: %+v", r)
		}
		if r := b.store.get(dels[100].Seq); r.State != store.Succeeded {
			t.Errorf("behind them: %v", r.State)
		}
		p.say(dels[0].ID(), engine.Update{Kind: engine.Progress})
		settle(tickTime)
		if r := b.store.get(dels[0].Seq); r.State != store.Running || !b.InFlight(dels[0].Seq) {
			t.Errorf("goes on: %v", r.State)
		}
		for _, del := range dels {
			p.say(del.ID(), engine.Update{Kind: engine.Succeeded})
		}
		settle(time.Second)
		if b.store.left() != 0 {
			t.Errorf("%d open", b.store.left())
		}
		b.leftovers()
	})
}

// The routes of an engine that is down must not take all memory.
func TestDownEngineLeavesRoomForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down, up := newProgram(), newProgram()
		down.crash()
		b := newBench(t, &Plan{
			Engines: map[string]Lane{"down": {Engine: down, InFlight: 4}, "up": {Engine: up, InFlight: 4}},
			Routes:  map[string]Rule{"d": {Engine: "down"}, "u": {Engine: "up"}},
		})
		settle(time.Second)
		body := make([]byte, 1<<20)
		for range 100 {
			b.sendBody("d", "", body)
		}
		settle(time.Second)
		b.mu.Lock()
		if b.bytes > maxBytes+maxBytes/2+2<<20 {
			t.Errorf("%d bytes in memory", b.bytes)
		}
		b.mu.Unlock()
		for range 10 {
			b.sendBody("u", "", body)
		}
		settle(time.Second)
		if n := len(up.called()); n != 10 {
			t.Errorf("%d of 10 ran beside an engine that is down", n)
		}
		down.start()
		settle(time.Minute)
		if b.store.left() != 0 {
			t.Errorf("%d open", b.store.left())
		}
		b.leftovers()
	})
}

func TestRoutesGoAndComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		var o order
		p.script = o.script(time.Second, nil)
		plan := one(p, Rule{Strict: true})
		b := newBench(t, plan)
		settle(time.Second)
		for range 5 {
			b.send("r", "a")
		}
		settle(500 * time.Millisecond)
		b.Apply(&Plan{Engines: plan.Engines})
		settle(10 * time.Second)
		if len(o.list()) != 1 {
			t.Errorf("%d ended without a route", len(o.list()))
		}
		for _, r := range b.store.all()[1:] {
			if r.Claimed || r.State != store.Pending {
				t.Errorf("not given back: %+v", r)
			}
		}
		if b.queues.Len() != 0 {
			t.Errorf("%d queues left", b.queues.Len())
		}
		b.send("r", "a")
		settle(time.Second)
		b.Apply(plan)
		settle(time.Minute)
		if len(o.list()) != 6 || !slices.IsSorted(o.list()) {
			t.Errorf("ended %v", o.list())
		}
		b.leftovers()
	})
}

func TestDiscard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		p.script = func(engine.Call, func(engine.Update)) {} // never ends
		b := newBench(t, one(p, Rule{Strict: true}))
		settle(time.Second)
		var dels []*store.Delivery
		for range 3 {
			dels = append(dels, b.send("r", "a"))
		}
		settle(tickTime)
		discard := func(del *store.Delivery) {
			b.store.enqueue(&store.Change{Delivery: del, State: store.Discarded})
			synctest.Wait()
			b.Discard(del.Seq)
		}
		discard(dels[1]) // waits behind the first
		discard(dels[0]) // runs
		settle(tickTime)
		if got := p.asked(); !slices.Equal(got, []string{dels[0].ID()}) {
			t.Errorf("cancelled %v", got)
		}
		settle(cancelGrace + time.Second) // it does not end: then it is forgotten
		if calls := p.called(); len(calls) != 2 || calls[1].Key != dels[2].ID() {
			t.Errorf("calls %v", calls)
		}
		discard(dels[2])
		p.say(dels[2].ID(), engine.Update{Kind: engine.Succeeded})
		settle(time.Second)
		for _, r := range b.store.all() {
			if r.State != store.Discarded || len(r.history) != 0 {
				t.Errorf("%+v", r)
			}
		}
		if len(b.seen) != 0 {
			t.Errorf("observed %v", b.seen)
		}
		b.leftovers()
	})
}

// Discarding what is about to start, before the engine has a place, is no harm.
func TestDiscardWhatIsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		p.crash()
		b := newBench(t, one(p, Rule{}))
		settle(time.Second)
		first, second := b.send("r", "a"), b.send("r", "b")
		settle(time.Second)
		b.Discard(first.Seq)
		p.start()
		settle(time.Second)
		if calls := p.called(); len(calls) != 1 || calls[0].Key != second.ID() {
			t.Errorf("calls %v", calls)
		}
		b.leftovers()
	})
}

func TestRetryByAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		p.script = func(c engine.Call, say func(engine.Update)) {
			if c.Attempt == 1 {
				say(engine.Update{Kind: engine.Failed})
			} else {
				say(engine.Update{Kind: engine.Succeeded})
			}
		}
		b := newBench(t, one(p, Rule{Strict: true, Retry: outcome.Retry{Attempts: 9, Min: time.Hour, Max: time.Hour}}))
		settle(time.Second)
		del := b.send("r", "a")
		settle(time.Second)
		if b.Retry(del.Seq + 1) {
			t.Error("retried what it does not have")
		}
		if !b.Retry(del.Seq) {
			t.Error("does not have it")
		}
		settle(tickTime)
		if r := b.store.get(del.Seq); r.State != store.Succeeded || r.Attempt != 2 {
			t.Errorf("%+v", r)
		}
		b.leftovers()
	})
}

func TestClaimErrorIsNotTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		b := newBench(t, one(p, Rule{Strict: true}))
		b.store.fail = store.ErrFull
		b.send("r", "")
		settle(10 * time.Second)
		if len(p.called()) != 0 {
			t.Fatal("ran")
		}
		b.store.mu.Lock()
		b.store.fail = nil
		b.store.mu.Unlock()
		settle(2 * time.Second)
		if len(p.called()) != 1 {
			t.Error("the claim was not made again")
		}
		b.leftovers()
	})
}

// What is at rest asks nothing of the store.
func TestAtRestNoClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		p.script = failing(engine.Retryable, 0)
		plan := one(p, Rule{Retry: outcome.Retry{Attempts: 2, Min: time.Hour, Max: time.Hour}})
		for i := range 100 {
			plan.Routes[fmt.Sprint("idle-", i)] = Rule{Engine: "e"}
		}
		b := newBench(t, plan)
		b.send("r", "")
		settle(time.Minute)
		before := b.store.count()
		settle(50 * time.Minute)
		if b.store.count() != before || before > 210 {
			t.Errorf("%d claims at the start, %d at rest", before, b.store.count()-before)
		}
		settle(20 * time.Minute)
		if b.store.left() != 0 {
			t.Error("the retry was forgotten")
		}
	})
}

// TestTurnsOutliveAReload: another plan is no reason to begin at the front
// again, or who is last would never be next while plans follow each other.
func TestTurnsOutliveAReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		var o order
		p.script = o.script(time.Second, nil)
		rule := Rule{Engine: "e", Workflow: "w", Concurrency: 1}
		plan := &Plan{Engines: map[string]Lane{"e": {Engine: p, InFlight: 1}}, Routes: map[string]Rule{"a": rule, "b": rule, "c": rule}}
		b := newBench(t, plan)
		settle(100 * time.Millisecond)
		var want []string
		for range 2 {
			for _, key := range []string{"x", "y", "z"} {
				for _, route := range []string{"c", "b", "a"} {
					b.send(route, key)
					want = append(want, nameOf(len(want)+1))
					settle(time.Millisecond)
				}
			}
		}
		for range 18 {
			settle(time.Second)
			b.Apply(plan)
		}
		settle(time.Minute)
		if !slices.Equal(o.list(), want) {
			t.Errorf("order %v, want %v", o.list(), want)
		}
		b.leftovers()
	})
}

// TestDueLongestIsFirst: of keys whose heads come due between two looks at the
// clock, the one that was due first starts first.
func TestDueLongestIsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		var o order
		p.script = o.script(time.Millisecond, func(c engine.Call) bool { return c.Attempt == 1 })
		plan := one(p, Rule{Strict: true, Retry: outcome.Retry{Attempts: 2, Min: time.Minute, Max: time.Minute}})
		lane := plan.Engines["e"]
		lane.InFlight = 1
		plan.Engines["e"] = lane
		b := newBench(t, plan)
		settle(51 * time.Millisecond)
		var want []string
		for i := range 8 {
			b.send("r", nameOf(i))
			want = append(want, nameOf(i+1))
		}
		settle(10 * time.Minute)
		if !slices.Equal(o.list(), want) {
			t.Errorf("order %v, want %v", o.list(), want)
		}
		b.leftovers()
	})
}
