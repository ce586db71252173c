package simulation

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
)

// model is what must be true, whatever the gateway does. It hears of what senders
// were told and of what engines were asked to do, and of nothing in between. At
// the end audit compares it with what the store has.
type model struct {
	w *world

	mu sync.Mutex
	// keys and pairs are two sides of one thing: an event for a route has a key of
	// its own, always the same.
	keys   map[pair]string
	pairs  map[string]pair
	inputs map[string][]byte
	events map[string]string // their time and body
	starts map[string][]started
	// byRoute are the starts of all deliveries of a route.
	byRoute map[string][]time.Time
	// reports are the ends of attempts that a gateway heard of.
	reports   map[string][]report
	succeeded map[string]bool // in the world
	losses    map[string]int
	// acts are what people did to a delivery.
	acts map[string][]act
}

// pair is an event for a route.
type pair struct{ source, id, route string }

type started struct {
	at      time.Time
	attempt int
}

type report struct {
	at      time.Time
	attempt int
	engine.Update
}

type act struct {
	at   time.Time
	what string
}

func newModel(w *world) *model {
	return &model{
		w: w, keys: map[pair]string{}, pairs: map[string]pair{}, inputs: map[string][]byte{}, events: map[string]string{}, starts: map[string][]started{},
		byRoute: map[string][]time.Time{}, reports: map[string][]report{}, succeeded: map[string]bool{}, losses: map[string]int{},
		acts: map[string][]act{},
	}
}

// act notes what a person does; when it is done it may have been done before.
func (m *model) act(key, what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acts[key] = append(m.acts[key], act{time.Now(), what})
}

// began is a run that a gateway begins.
func (m *model) began(l *line, route string, c *engine.Call, live map[string]*call) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.w.note("%s: begins %s, attempt %d of %s for %s", l.name, c.Key, c.Attempt, route, c.Event.ID)
	m.identity(route, c)
	m.origin(c.Event)
	if before := m.starts[c.Key]; len(before) > 0 {
		m.retried(route, c, before, now)
	}
	m.w.stillOpen(c.Key)
	m.bounded(l, route, c, live, now)
	m.starts[c.Key] = append(m.starts[c.Key], started{now, c.Attempt})
	m.byRoute[route] = append(m.byRoute[route], now)
	m.paced(route, now)
}

// identity (P3): one key for an event and a route, and one event and route for a
// key; and the same input each time.
func (m *model) identity(route string, c *engine.Call) {
	p := pair{c.Event.Source, c.Event.ID, route}
	if known, ok := m.keys[p]; ok && known != c.Key && !m.w.cameAgain(p) && !(m.w.plan.jumps && strings.HasPrefix(p.source, "/schedules/")) {
		m.w.fail("P3: %s for %s runs under the key %s, and ran under %s", p.id, route, c.Key, known)
	}
	if known, ok := m.pairs[c.Key]; ok && known != p {
		m.w.fail("P3: the key %s is of %v, and was of %v", c.Key, p, known)
	}
	m.keys[p], m.pairs[c.Key] = c.Key, p
	if input, ok := m.inputs[c.Key]; ok && !bytes.Equal(input, c.Input) {
		m.w.fail("P3: %s runs with %s, and ran with %s", c.Key, c.Input, input)
	}
	m.inputs[c.Key] = c.Input
	event := fmt.Sprintf("of %s: %s", c.Event.Time.Format(time.RFC3339Nano), c.Event.Body)
	if known, ok := m.events[c.Key]; ok && known != event {
		m.w.fail("P3: %s runs with the event %s, and ran with that %s", c.Key, event, known)
	}
	m.events[c.Key] = event
}

// origin (P5, P7): what runs was sent, signed and in time, and is what was sent.
func (m *model) origin(ev *event.Event) {
	if why := m.w.unknown(ev); why != "" {
		m.w.fail("P5: %s %s runs: %s", ev.Source, ev.ID, why)
	}
}

// retried: not before its time, and not more often than it may be.
func (m *model) retried(route string, c *engine.Call, before []started, now time.Time) {
	if len(m.acts[c.Key]) > 0 {
		return // people may
	}
	rules := m.w.rulesIn(route, before[0].at.Add(-underWay), now)
	throttled := 0
	for n := 1; n < c.Attempt; n++ {
		r, ok := m.lastReport(c.Key, n)
		if ok && r.Kind == engine.Failed && r.Failure == engine.Throttled {
			throttled++
		}
	}
	most, least := 0, time.Hour
	for _, rule := range rules {
		most = max(most, rule.attempts)
		least = min(least, rule.pause(c.Attempt-1))
	}
	if c.Attempt-1-throttled >= most {
		m.w.fail("P12: %s begins attempt %d, of %d that it has", c.Key, c.Attempt, most)
	}
	if r, ok := m.lastReport(c.Key, c.Attempt-1); ok && r.Kind == engine.Failed {
		if wait := max(least, r.RetryAfter); now.Sub(r.at) < wait-time.Millisecond {
			m.w.fail("%s: attempt %d %v after the one before failed, and not %v", c.Key, c.Attempt, now.Sub(r.at), wait)
		}
	}
}

func (m *model) lastReport(key string, attempt int) (last report, found bool) {
	for _, r := range m.reports[key] {
		if r.attempt == attempt {
			last, found = r, true
		}
	}
	return last, found
}

// pause after the n-th attempt.
func (r *rule) pause(n int) time.Duration {
	d := r.min
	for range n - 1 {
		d = min(2*d, r.max)
	}
	return d
}

// bounded: no more runs of a key at a time than the route says, of all rules
// that were in force since the oldest of them began.
func (m *model) bounded(l *line, route string, c *engine.Call, live map[string]*call, now time.Time) {
	since, n := now, 1
	key := keyIn(c.Event)
	for _, other := range live {
		if other.route == route && other.c.Event != nil && keyIn(other.c.Event) == key && other.line == l {
			n++
			if other.at.Before(since) {
				since = other.at
			}
		}
	}
	most := 0
	for _, rule := range m.w.rulesIn(route, since.Add(-underWay), now) {
		switch {
		case !rule.key && m.w.keysOf(route) > 1: // without a key all are of one, and live ones were counted by key
			return
		case rule.strict:
			most = max(most, 1)
		case rule.concurrency > 0:
			most = max(most, rule.concurrency)
		default:
			return
		}
	}
	if most > 0 && n > most {
		m.w.fail("P15: %d runs of %s with the key %q at a time, at most %d may", n, route, key, most)
	}
}

// paced: no more starts in any window than the route's rate says, if it was the
// same all the time.
func (m *model) paced(route string, now time.Time) {
	all := m.byRoute[route]
	rules := m.w.rulesIn(route, now, now)
	if len(rules) != 1 || rules[0].rate == 0 || len(all) <= rules[0].rate {
		return
	}
	rule := rules[0]
	first := all[len(all)-1-rule.rate]
	for _, r := range m.w.rulesIn(route, now.Add(-rule.window), now) {
		if r.rate == 0 || r.rate > rule.rate || r.window < rule.window {
			return
		}
	}
	if span := now.Sub(first); span < rule.window {
		m.w.fail("rate: %d starts of %s within %v, at most %d in %v may", rule.rate+1, route, span, rule.rate, rule.window)
	}
}

// ended is the end of a run in the world, heard one that a gateway hears.
func (m *model) ended(j *job, u engine.Update) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.w.note("%s %s attempt %d", j.key, updateName(u), j.attempt)
	if u.Kind == engine.Succeeded {
		m.succeeded[j.key] = true
	}
}

func (m *model) heard(key, _ string, attempt int, u engine.Update) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reports[key] = append(m.reports[key], report{time.Now(), attempt, u})
}

func (m *model) lost(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.losses[key]++
}

func updateName(u engine.Update) string {
	switch {
	case u.Kind == engine.Succeeded:
		return "succeeds in"
	case u.Failure == engine.Permanent:
		return "fails for good in"
	case u.Failure == engine.Throttled:
		return "is throttled in"
	}
	return "fails in"
}

// seqOf is the number behind a key.
func seqOf(key string) int64 {
	seq, _ := store.ParseID(key)
	return seq
}
