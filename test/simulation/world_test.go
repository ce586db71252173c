package simulation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
)

// world is all of one history: a gateway, which comes and goes, and what is
// around it. It lives in a bubble of testing/synctest.
type world struct {
	plan  *plan
	bugs  bugs
	dir   string // for a real store; empty: one in memory
	start time.Time

	disk    disk
	near    *machine
	far     *machine
	model   *model
	current atomic.Pointer[instance] // nil while there is none
	file    *layout                  // what the gateway reads at its next start
	clock   atomic.Int64             // how far the clock that schedules go by is ahead, in nanoseconds
	calm    atomic.Bool              // nothing goes wrong any more
	work    sync.WaitGroup           // whoever is under way in the world
	ghosts  sync.WaitGroup           // gateways that end
	n       int                      // gateways so far
	loaded  map[string]loaded        // by text

	mu       sync.Mutex
	trace    []line2
	failures []string
	sent     []*sending
	epochs   []epoch
	ups      []*up
	legit    map[string][]*sending // by source and id
	stalls   []time.Time           // when the store refused something
}

// line2 is a line of the trace.
type line2 struct {
	at   time.Duration
	text string
}

// epoch is a time in which one configuration was in force.
type epoch struct {
	from, to time.Time // zero: still
	revision string
	layout   *layout
}

// up is a time in which a gateway ran.
type up struct{ from, to time.Time }

// note adds a line to the trace.
func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace = append(w.trace, line2{time.Since(w.start), fmt.Sprintf(format, args...)})
}

// fail notes that a promise was broken.
func (w *world) fail(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failures = append(w.failures, text)
	w.trace = append(w.trace, line2{time.Since(w.start), "BROKEN: " + text})
}

// history is what came of a plan.
type history struct {
	failures []string
	trace    []line2
	counts   map[string]int
}

// String is the trace as people read it.
func (h *history) String() string {
	var b strings.Builder
	for _, l := range h.trace {
		fmt.Fprintf(&b, "%12.6fs %s\n", l.at.Seconds(), l.text)
	}
	return b.String()
}

// play lets a history happen.
func play(t *testing.T, p *plan, b bugs) (h *history) {
	t.Helper()
	w := &world{plan: p, bugs: b, file: p.first.clone(), legit: map[string][]*sending{}, loaded: map[string]loaded{}}
	if p.real {
		w.dir = t.TempDir()
	}
	h = &history{counts: map[string]int{}}
	synctest.Test(t, func(*testing.T) { w.run(h) })
	h.failures, h.trace = w.failures, w.trace
	return h
}

func (w *world) run(h *history) {
	time.Sleep(time.Until(w.plan.start))
	w.start = time.Now()
	w.model = newModel(w)
	w.disk = newDisk(w)
	w.near, w.far = newMachine(w, "near", false), newMachine(w, "far", true)
	w.note("it is %s; the configuration is\n%s", w.start.UTC().Format(time.RFC3339Nano), w.file.yaml())
	w.boot()
	for _, s := range w.plan.steps {
		w.until(s.at)
		w.note("#%d %s", s.n, s.name)
		s.do(w)
		synctest.Wait()
	}
	w.settle()
	if w.current.Load() != nil {
		w.audit(h)
	}
	w.shutdown()
	w.work.Wait()
	w.ghosts.Wait()
	w.disk.close()
}

// until lets time pass. A gateway that has ended by itself is started again, as
// whoever runs it would.
func (w *world) until(at time.Duration) {
	time.Sleep(time.Until(w.start.Add(at)))
	synctest.Wait()
	if in := w.current.Load(); in != nil && in.over() {
		w.note("the gateway has ended: %v", in.err)
		w.gone(in)
		w.boot()
		synctest.Wait()
	}
}

// settle lets peace return: what was accepted must come to its end by itself.
func (w *world) settle() {
	w.calm.Store(true)
	w.note("calm")
	if w.current.Load() == nil {
		w.boot()
	}
	all := w.plan.last.clone()
	w.reload(all)
	passed := func(d time.Duration) { w.until(time.Since(w.start) + d) }
	passed(20 * time.Second)
	all = all.clone()
	all.schedules = nil
	for _, r := range all.routes {
		r.rate = 0 // they have been kept long enough
	}
	w.reload(all)
	for range 1200 {
		passed(time.Second)
		if w.current.Load() == nil {
			return // it does not start: that has been said
		}
		if in := w.current.Load(); in.store.Stats().Open == 0 {
			passed(time.Second)
			return
		}
	}
	w.fail("P1: after 20 minutes of peace %d deliveries are open", w.current.Load().store.Stats().Open)
}

// rulesIn are the rules of a route that were in force between two moments.
func (w *world) rulesIn(route string, from, to time.Time) (rules []*rule) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.epochs {
		if e.from.After(to) || !e.to.IsZero() && e.to.Before(from) {
			continue
		}
		if r := e.layout.routes[route]; r != nil {
			rules = append(rules, r)
		}
	}
	return rules
}

// keysOf is how many order keys events of a route have: bodies name one of
// several.
func (w *world) keysOf(string) int { return bodyKeys }

// keyIn is the key that an event's body names.
func keyIn(ev *event.Event) string {
	if store.IsGroup(ev.ID) {
		ev = membersOf(ev)[0]
	}
	var body struct{ Key string }
	if json.Unmarshal(ev.Body, &body) != nil {
		return ""
	}
	return body.Key
}

// stillOpen: what begins has not ended, as far as the disk knows.
func (w *world) stillOpen(key string) {
	state, known := w.disk.state(seqOf(key))
	if known && !state.Open() && state != store.Discarded {
		w.fail("P12: %s begins, and is %s", key, state)
	}
}

// unknown tells why nobody can have sent an event; empty when somebody has.
func (w *world) unknown(ev *event.Event) string {
	switch {
	case store.IsGroup(ev.ID):
		for _, member := range membersOf(ev) {
			if why := w.unknown(member); why != "" {
				return "of its members " + member.ID + ": " + why
			}
		}
		return ""
	case ev.Source == "/gateway":
		return ""
	case strings.HasPrefix(ev.Source, "/schedules/"):
		return w.noSlot(strings.TrimPrefix(ev.Source, "/schedules/"), ev)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.legit[ev.Source+" "+ev.ID]
	if len(all) == 0 {
		return "nobody has sent it"
	}
	for _, s := range all {
		if bytes.Equal(s.body, ev.Body) && s.kind == ev.Type {
			return ""
		}
	}
	return "it is not what was sent"
}

// noSlot tells why no schedule was due then.
func (w *world) noSlot(name string, ev *event.Event) string {
	s := w.plan.last.schedules[name]
	if s == nil {
		return "there is no such schedule"
	}
	if ev.ID != name+"@"+ev.Time.UTC().Format(time.RFC3339Nano) {
		return "its id does not name its slot"
	}
	if len(s.slots(ev.Time.Add(-1), ev.Time)) != 1 {
		return "nothing was due then"
	}
	return ""
}

// cameAgain: an event that was sent again after the window is another one.
func (w *world) cameAgain(p pair) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.legit[p.source+" "+p.id]) > 1
}
