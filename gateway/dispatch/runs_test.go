package dispatch

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/event-gateway/gateway/gateway/dispatch/outcome"
	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/store"
)

// asks is a program whose runs ask before they succeed with the answer.
func asks() *program {
	p := newProgram()
	p.script = func(_ engine.Call, say func(engine.Update)) {
		say(engine.Update{Kind: engine.Accepted, RunID: "run-1"})
		say(engine.Update{Kind: engine.Progress, Step: "plan", Message: "3 machines", Fraction: 0.5})
		say(engine.Update{Kind: engine.Waiting, Prompt: "ship it?", Schema: []byte(`{"type":"string"}`)})
	}
	p.answered = func(answer string, say func(engine.Update)) {
		if answer == `"again"` {
			say(engine.Update{Kind: engine.Waiting, Prompt: "really?"})
			return
		}
		say(engine.Update{Kind: engine.Succeeded, Output: []byte(answer)})
	}
	return p
}

func TestAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := asks()
		b := newBench(t, one(p, Rule{Timeout: time.Second}))
		del := b.send("r", "")
		settle(time.Hour)
		r, ok := b.RunOf(del.Seq)
		if !ok || !r.Waiting || r.Question.Prompt != "ship it?" || string(r.Question.Schema) != `{"type":"string"}` ||
			r.ID != "run-1" || r.Progress.Step != "plan" || r.Progress.Fraction != 0.5 || r.Attempt != 1 {
			t.Errorf("before the answer: %+v, %t", r, ok)
		}
		if err := b.Answer(del.Seq+1, []byte(`1`)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("no such run: %v", err)
		}
		if err := b.Answer(del.Seq, []byte(`"again"`)); err != nil {
			t.Fatal(err)
		}
		settle(time.Second / 2)
		if r, _ := b.RunOf(del.Seq); !r.Waiting || r.Question.Prompt != "really?" {
			t.Errorf("asked again: %+v", r)
		}
		if err := b.Answer(del.Seq, []byte(`"yes"`)); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		if row := b.store.get(del.Seq); row.State != store.Succeeded || string(row.Last.Output) != `"yes"` {
			t.Errorf("answered: %+v", row)
		}
		if err := b.Answer(del.Seq, []byte(`"yes"`)); !errors.Is(err, store.ErrNotFound) || len(b.Runs()) != 0 {
			t.Errorf("answered when it had ended: %v, %d runs", err, len(b.Runs()))
		}
		b.leftovers()
	})
}

// A run that was answered is running until its engine says otherwise, and
// takes no second answer.
func TestAnswerOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := asks()
		p.answered = func(string, func(engine.Update)) {}
		b := newBench(t, one(p, Rule{}))
		del := b.send("r", "")
		settle(time.Second)
		if err := b.Answer(del.Seq, []byte(`1`)); err != nil {
			t.Fatal(err)
		}
		settle(tickTime)
		if row := b.store.get(del.Seq); row.State != store.Running || !b.InFlight(del.Seq) {
			t.Errorf("after the answer: %v", row.State)
		}
		if err := b.Answer(del.Seq, []byte(`2`)); !errors.Is(err, store.ErrState) {
			t.Errorf("a second answer: %v", err)
		}
		p.say(del.ID(), engine.Update{Kind: engine.Succeeded})
		settle(time.Second)
		b.leftovers()
	})
}

// While its engine is down nobody can answer; when it is back the run still
// waits, however often that happens.
func TestAnswerAfterManyCrashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := asks()
		p.attached = func(string, string, func(engine.Update)) (engine.Update, error) {
			return engine.Update{Kind: engine.Waiting, Prompt: "ship it?"}, nil
		}
		b := newBench(t, one(p, Rule{}))
		del := b.send("r", "")
		settle(time.Second)
		for range 3 * maxLost {
			p.crash()
			settle(time.Second)
			if err := b.Answer(del.Seq, []byte(`1`)); err == nil {
				t.Fatal("answered without an engine")
			}
			p.start()
			settle(time.Second)
		}
		if err := b.Answer(del.Seq, []byte(`1`)); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		if row := b.store.get(del.Seq); row.State != store.Succeeded || row.Attempt != 1 || len(p.called()) != 1 {
			t.Errorf("%+v, started %d times", row, len(p.called()))
		}
		b.leftovers()
	})
}

// The engine goes between the look and the answer: the run waits again.
func TestAnswerRefusedByEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := asks()
		b := newBench(t, one(p, Rule{}))
		del := b.send("r", "")
		settle(time.Second)
		p.mu.Lock()
		p.up = false // and nobody has noticed
		p.mu.Unlock()
		if err := b.Answer(del.Seq, []byte(`1`)); !errors.Is(err, engine.ErrDown) {
			t.Errorf("answer: %v", err)
		}
		settle(time.Second)
		if r, _ := b.RunOf(del.Seq); !r.Waiting || r.Question.Prompt != "ship it?" || b.store.get(del.Seq).State != store.Waiting {
			t.Errorf("afterwards: %+v", r)
		}
		p.mu.Lock()
		p.up = true
		p.mu.Unlock()
		p.say(del.ID(), engine.Update{Kind: engine.Succeeded})
		settle(time.Second)
		b.leftovers()
	})
}

func TestCancel(t *testing.T) {
	for name, test := range map[string]struct {
		obeys func(say func(engine.Update)) // what the engine does when asked
		want  store.State
		out   string
	}{
		"it fails":          {func(say func(engine.Update)) { say(engine.Update{Kind: engine.Failed}) }, store.Dead, outcome.Cancelled},
		"it succeeds first": {func(say func(engine.Update)) { say(engine.Update{Kind: engine.Succeeded}) }, store.Succeeded, outcome.Succeeded},
		"it does not care":  {func(func(engine.Update)) {}, store.Dead, outcome.Cancelled},
	} {
		for _, waits := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newProgram()
					p.script = func(_ engine.Call, say func(engine.Update)) {
						if waits {
							say(engine.Update{Kind: engine.Waiting})
						}
					}
					b := newBench(t, one(p, Rule{Retry: outcome.Retry{Attempts: 5, Min: time.Second, Max: time.Second}}))
					del := b.send("r", "")
					settle(time.Second)
					if err := b.Cancel(del.Seq); err != nil {
						t.Fatal(err)
					}
					if r, _ := b.RunOf(del.Seq); !r.Cancelled || !slices.Equal(p.asked(), []string{del.ID()}) {
						t.Errorf("after the request: %+v, asked %v", r, p.asked())
					}
					if err := b.Answer(del.Seq, []byte(`1`)); !errors.Is(err, store.ErrState) {
						t.Errorf("answered when cancelled: %v", err)
					}
					test.obeys(func(u engine.Update) { p.say(del.ID(), u) })
					settle(cancelGrace + time.Minute)
					if row := b.store.get(del.Seq); row.State != test.want || row.Last.Outcome != test.out || row.Attempt != 1 {
						t.Errorf("%v %+v", row.State, row.Last)
					}
					if err := b.Cancel(del.Seq); !errors.Is(err, store.ErrNotFound) {
						t.Errorf("cancelled when it had ended: %v", err)
					}
					b.leftovers()
				})
			})
		}
	}
}

// The engine goes away after it was asked to end a run: the run does not come
// back to life, whatever the next process knows of it.
func TestCancelOutlivesEngine(t *testing.T) {
	for name, known := range map[string]*engine.UpdateKind{"can't tell": nil, "unknown": new(engine.Unknown), "running": new(engine.Running)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newProgram()
				p.script = func(engine.Call, func(engine.Update)) {}
				if known != nil {
					p.attached = func(string, string, func(engine.Update)) (engine.Update, error) {
						return engine.Update{Kind: *known}, nil
					}
				}
				b := newBench(t, one(p, Rule{}))
				del := b.send("r", "")
				settle(time.Second)
				if err := b.Cancel(del.Seq); err != nil {
					t.Fatal(err)
				}
				p.crash()
				settle(time.Second)
				p.start()
				settle(cancelGrace + time.Minute)
				if known != nil && *known == engine.Running {
					if got := p.asked(); len(got) != 2 {
						t.Errorf("the next process was not asked: %v", got)
					}
				}
				if row := b.store.get(del.Seq); row.State != store.Dead || row.Last.Outcome != outcome.Cancelled || len(p.called()) != 1 {
					t.Errorf("%v %+v, started %d times", row.State, row.Last, len(p.called()))
				}
				b.leftovers()
			})
		})
	}
}

// A delivery that a person discards and then retries runs anew once its former
// run has ended, or has been given up, and not beside it.
func TestRetriedWhileItsDiscardedRunEnds(t *testing.T) {
	for _, strict := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := newProgram()
			p.script = func(engine.Call, func(engine.Update)) {} // nor does it end when asked to
			b := newBench(t, one(p, Rule{Workflow: "r", Strict: strict}))
			settle(time.Second)
			del := b.send("r", "")
			settle(time.Second)
			b.store.reset(del.Seq, store.Discarded)
			b.Discard(del.Seq)
			settle(time.Second)
			p.mu.Lock()
			p.script = nil
			p.mu.Unlock()
			b.store.reset(del.Seq, store.Pending)
			b.Nudge("r")
			settle(3 * time.Second)
			if n := len(p.called()); n != 1 {
				t.Errorf("strict %t: called %d times while it runs", strict, n)
			}
			settle(10 * time.Second)
			if r := b.store.get(del.Seq); r.State != store.Succeeded || len(p.called()) != 2 {
				t.Errorf("strict %t: %+v after %d calls", strict, r.Delivery, len(p.called()))
			}
			b.leftovers()
		})
	}
}
