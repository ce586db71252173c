package simulation

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/dispatch"
	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/test/simulation/memory"
)

// bugs are planted, each where the gateway meets what is around it; the zero
// value has none.
type bugs struct {
	onRule   func(dispatch.Rule) dispatch.Rule
	onCall   func(engine.Call) engine.Call
	onStore  func(*memory.Options)
	onSlot   func(*event.Event) *event.Event // one more to be fired
	onClaim  func(then func(store.Claimed, error)) func(store.Claimed, error)
	onText   func(string) string // of the configuration
	onUpdate func(engine.Update) engine.Update
	noDedupe bool
}

func apply[T any](do func(T) T, to T) T {
	if do == nil {
		return to
	}
	return do(to)
}

func (b bugs) store(o *memory.Options) {
	if b.onStore != nil {
		b.onStore(o)
	}
}

func (b bugs) slot(ctx context.Context, s slots, ev *event.Event) {
	if b.onSlot != nil {
		_, _ = s.in.intake.Fire(ctx, b.onSlot(ev), nil)
	}
}

func (b bugs) window(d time.Duration) time.Duration {
	if b.noDedupe {
		return time.Nanosecond
	}
	return d
}

// planted are bugs that gateways have had, and what a history with one of them
// breaks.
func planted() map[string]struct {
	breaks string
	bugs   bugs
} {
	type bug = struct {
		breaks string
		bugs   bugs
	}
	forget := func(do func(*memory.Page)) bugs {
		return bugs{onStore: func(o *memory.Options) { o.Forget = do }}
	}
	return map[string]bug{
		"a commit is forgotten": {"P1", forget(func(p *memory.Page) {
			if len(p.Events) == 1 && len(p.Changes) == 0 && p.Events[0].Seq>>22%7 == 0 {
				*p = memory.Page{}
			}
		})},
		"an event is acknowledged before it is on disk": {"P1", bugs{onStore: func(o *memory.Options) { o.Early = true }}},
		"a route's delivery is not stored": {"P1", forget(func(p *memory.Page) {
			if n := len(p.Deliveries); n > 3 {
				p.Deliveries = p.Deliveries[:n-1]
			}
		})},
		"the store calls a failure a success": {"P1", forget(func(p *memory.Page) {
			for i := range p.Changes {
				if c := &p.Changes[i]; c.AttemptEnded && c.State == store.Pending {
					c.State = store.Succeeded
				}
			}
		})},
		"an engine's failure counts as success": {"P1", bugs{onUpdate: func(u engine.Update) engine.Update { u.Kind = min(u.Kind, engine.Succeeded); return u }}},
		"a dead letter is dropped":              {"P12", forget(dropLetters)},
		"an attempt is not kept":                {"P12", forget(func(p *memory.Page) { forgetAttempts(p) })},
		"repeats are not recognised":            {"P4", bugs{noDedupe: true}},
		"a claim ignores that memory has it":    {"", bugs{onStore: func(o *memory.Options) { o.Lenient = true }}},
		"the answer of a claim is lost":         {"", bugs{onClaim: loseSome()}},
		"each attempt has another key": {"P3", bugs{onCall: func(c engine.Call) engine.Call {
			c.Key = store.FormatID(seqOf(c.Key) + int64(c.Attempt-1)<<40)
			return c
		}}},
		"the body is changed":                      {"P5", bugs{onCall: func(c engine.Call) engine.Call { c.Event = shouted(c.Event); return c }}},
		"a schedule fires twice":                   {"P5", bugs{onSlot: func(ev *event.Event) *event.Event { again := *shouted(ev); again.ID += "!"; return &again }}},
		"signatures are not looked at":             {"P5", bugs{onText: unsigned}},
		"strict order is forgotten":                {"P15", bugs{onRule: func(r dispatch.Rule) dispatch.Rule { r.Strict = false; return r }}},
		"the rate is forgotten":                    {"rate", bugs{onRule: func(r dispatch.Rule) dispatch.Rule { r.Rate.Count = 0; return r }}},
		"one attempt more than may be":             {"P12", bugs{onRule: func(r dispatch.Rule) dispatch.Rule { r.Retry.Attempts++; return r }}},
		"one attempt less than there should be":    {"P12", bugs{onRule: func(r dispatch.Rule) dispatch.Rule { r.Retry.Attempts--; return r }}},
		"retries come at once":                     {"", bugs{onRule: func(r dispatch.Rule) dispatch.Rule { r.Retry.Min, r.Retry.Max = 0, 0; return r }}},
		"what waits for an engine is given up":     {"P1", bugs{onStore: func(o *memory.Options) { o.Forget = giveUp }}},
		"a member of a group is left in the store": {"", forget(func(p *memory.Page) { keepMember(p) })},
	}
}

func dropLetters(p *memory.Page) {
	for _, e := range p.Events {
		if e.Event.Source == "/gateway" {
			p.Deliveries = slices.DeleteFunc(p.Deliveries, func(d *store.Delivery) bool { return d.EventSeq == e.Seq })
		}
	}
	p.Events = slices.DeleteFunc(p.Events, func(e *memory.Event) bool { return e.Event.Source == "/gateway" })
}

func forgetAttempts(p *memory.Page) {
	for i := range p.Changes {
		if c := &p.Changes[i]; c.AttemptEnded && c.State.Open() {
			c.AttemptEnded = false
		}
	}
}

// giveUp drops what was to be tried again.
func giveUp(p *memory.Page) {
	p.Changes = slices.DeleteFunc(p.Changes, func(c store.Change) bool { return c.AttemptEnded && c.State == store.Pending })
}

// keepMember leaves one delivery of a group as if it had not become a part of it.
func keepMember(p *memory.Page) {
	i := slices.IndexFunc(p.Changes, func(c store.Change) bool { return c.State == store.Merged })
	if i >= 0 {
		p.Changes = slices.Delete(p.Changes, i, i+1)
	}
}

// loseSome loses every fifth answer.
func loseSome() func(func(store.Claimed, error)) func(store.Claimed, error) {
	var n atomic.Int64 // dispatch and gather both ask
	return func(then func(store.Claimed, error)) func(store.Claimed, error) {
		if n.Add(1)%5 == 0 {
			return func(store.Claimed, error) {}
		}
		return then
	}
}

func shouted(ev *event.Event) *event.Event {
	return &event.Event{
		ID: ev.ID, Source: ev.Source, Type: ev.Type, Time: ev.Time, ContentType: ev.ContentType, Headers: ev.Headers,
		Body: []byte(strings.ToUpper(string(ev.Body))),
	}
}

// unsigned is a configuration that takes everything.
func unsigned(text string) string {
	before, rest, _ := strings.Cut(text, "  own:\n")
	_, after, _ := strings.Cut(rest, "schedules:")
	return before + "  own: {scheme: none}\nschedules:" + after
}

// patience is how many histories a planted bug may survive.
const patience = 60

// TestPlantedBugs: the simulation notices what it is there to notice.
func TestPlantedBugs(t *testing.T) {
	if *seed != 0 {
		t.Skip("of the history of one seed")
	}
	for name, b := range planted() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for s := uint64(1); s <= patience; s++ {
				p := newPlan(s, large)
				if p.real {
					continue // it has no place for bugs
				}
				h := play(t, p, b.bugs)
				if len(h.failures) == 0 {
					continue
				}
				if !slices.ContainsFunc(h.failures, func(f string) bool { return strings.HasPrefix(f, b.breaks) }) {
					t.Errorf("seed %d breaks %q, and not %s", s, h.failures[0], b.breaks)
				}
				t.Logf("seed %d: %s", s, h.failures[0])
				return
			}
			t.Errorf("nobody noticed in %d histories", patience)
		})
	}
}
