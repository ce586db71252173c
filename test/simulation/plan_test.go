package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
)

// plan is what a seed means: all that will be done to the gateway, and how what
// is around it behaves. It is made before anything happens, so that steps can be
// left out.
type plan struct {
	seed  uint64
	real  bool      // the real store
	start time.Time // of the history
	// first configuration, and the one in which all must come to its end.
	first, last *layout
	steps       []step
	// moods of engines: what becomes of a run is one of these.
	moods []kind
	// slow, full, failing: commits are, now and then.
	slow, full, failing bool
	// jumps: the clock on the wall does.
	jumps bool
	// window in which a sending is recognised.
	window time.Duration
}

// step is something that is done to the gateway, at a time.
type step struct {
	n    int // in its plan
	at   time.Duration
	name string
	do   func(*world)
}

// bodyKeys is how many order keys there are.
const bodyKeys = 3

// size of a history.
type size struct {
	steps int
	gap   time.Duration // the longest between steps, mostly
}

// large histories have a bit of everything; small ones are quick.
var large, small = size{60, 4 * time.Second}, size{14, 2 * time.Second}

// newPlan makes one of a seed.
func newPlan(seed uint64, of size) *plan {
	r := rand.New(rand.NewPCG(seed, 1))
	change := clockChanges[r.IntN(len(clockChanges))]
	p := &plan{
		seed: seed, real: seed%16 == 15,
		start: change.at.Add(-time.Duration(r.Int64N(int64(4 * time.Minute)))),
		first: firstLayout(r), slow: r.IntN(2) == 0, full: r.IntN(3) == 0, failing: r.IntN(4) == 0,
		window: time.Duration(20+r.IntN(100)) * time.Second,
	}
	p.jumps = r.IntN(6) == 0
	p.first.schedules = randomTimings(r, change.zone)
	p.last = p.first.clone()
	p.moods = randomMoods(r)
	(&planner{plan: p, rand: r, size: of, now: p.first}).steps()
	return p
}

// randomMoods: each kind of trouble is in half of all histories, or they would
// all be alike.
func randomMoods(r *rand.Rand) []kind {
	moods := []kind{succeeds, succeeds, mumbles}
	for _, k := range []kind{fails, fails, fails, failsForGood, throttles, hangs, hangsOn, endsTwice, kills, asks, refused} {
		if r.IntN(2) == 0 {
			moods = append(moods, k)
		}
		if r.IntN(3) == 0 {
			moods = append(moods, succeeds)
		}
	}
	return moods
}

// planner makes steps up.
type planner struct {
	*plan
	rand *rand.Rand
	size size
	at   time.Duration
	now  *layout // as of the steps so far
	said []message
	n    int
}

func (p *planner) add(name string, do func(*world)) {
	p.plan.steps = append(p.plan.steps, step{len(p.plan.steps), p.at, name, do})
}

func (p *planner) steps() {
	kinds := []struct {
		weight int
		add    func()
	}{
		{14, p.fresh}, {6, p.repeat}, {3, p.bad}, {2, p.crash}, {1, p.stop}, {3, p.reload}, {1, p.breakFile},
		{2, p.engine}, {1, p.pause}, {3, p.person}, {2, p.jump},
	}
	var lots []int
	for i, k := range kinds {
		on := r2(p.rand) || i < 3
		if i == len(kinds)-1 {
			on = p.jumps
		}
		for range k.weight {
			if on {
				lots = append(lots, i)
			}
		}
	}
	for range p.size.steps {
		p.at += p.gap()
		kinds[lots[p.rand.IntN(len(lots))]].add()
	}
	p.at += p.gap()
}

func r2(r *rand.Rand) bool { return r.IntN(3) > 0 }

func (p *planner) gap() time.Duration {
	switch n := p.rand.IntN(20); {
	case n < 6:
		return time.Duration(p.rand.Int64N(int64(30 * time.Millisecond)))
	case n == 19 && p.size == large:
		return time.Duration(p.rand.Int64N(int64(90 * time.Second)))
	}
	return time.Duration(p.rand.Int64N(int64(p.size.gap)))
}

func (p *planner) body() []byte {
	p.n++
	return fmt.Appendf(nil, `{"key":"k%d","n":%d}`, p.rand.IntN(bodyKeys), p.n)
}

func (p *planner) message() message {
	kind := eventTypes[p.rand.IntN(len(eventTypes))]
	hook := map[byte]string{'g': "gh", 'o': "own", 'j': "api"}[kind[0]]
	m := message{hook: hook, kind: kind, body: p.body()}
	m.id = fmt.Sprintf("%s-%d", hook, p.n)
	return m
}

// fresh: new messages, several at once.
func (p *planner) fresh() {
	for range 1 + p.rand.IntN(4) {
		m := p.message()
		p.said = append(p.said, m)
		p.add(fmt.Sprintf("send %s %s (%s) %s", m.hook, m.id, m.kind, m.body), func(w *world) { w.send(m, "") })
	}
}

// repeat: a message that was sent before, or one that only looks like it.
func (p *planner) repeat() {
	if len(p.said) == 0 {
		p.fresh()
		return
	}
	m := p.said[p.rand.IntN(len(p.said))]
	if r2(p.rand) { // senders repeat soon
		m = p.said[max(0, len(p.said)-1-p.rand.IntN(4))]
	}
	what := "again"
	switch n := p.rand.IntN(6); {
	case n == 0:
		what, m.body = "same id, other body,", p.body()
	case n == 1 && m.hook == "gh":
		p.n++
		what, m.id = "same body, other id,", fmt.Sprint("gh-", p.n)
	}
	p.add(fmt.Sprintf("send %s %s %s (%s) %s", what, m.hook, m.id, m.kind, m.body), func(w *world) { w.send(m, "") })
}

// bad: what nobody with the secret has sent, now.
func (p *planner) bad() {
	m := p.message()
	for m.hook == "api" {
		m = p.message()
	}
	m.id = "bad-" + m.id
	ways := []string{"unsigned", "other secret", "other body", "cut"}
	if m.hook == "own" {
		ways = append(ways, "old", "early", "old", "early")
	}
	way := ways[p.rand.IntN(len(ways))]
	p.add(fmt.Sprintf("send %s %s: %s", m.hook, m.id, way), func(w *world) { w.send(m, way) })
}

// away is how long a gateway is.
func (p *planner) away() time.Duration {
	switch p.rand.IntN(6) {
	case 0:
		return time.Duration(p.rand.Int64N(int64(3 * time.Hour)))
	case 1:
		return time.Duration(p.rand.Int64N(int64(5 * time.Minute)))
	}
	return time.Duration(p.rand.Int64N(int64(3 * time.Second)))
}

func (p *planner) crash() {
	written := p.rand.IntN(2) == 0
	if p.rand.IntN(2) == 0 { // just when there is something to lose
		p.fresh()
		p.at += time.Duration(p.rand.Int64N(int64(12 * time.Millisecond)))
	}
	p.add(fmt.Sprintf("the gateway is killed (what it was writing is written: %t)", written), func(w *world) { w.kill(written) })
	p.back()
}

func (p *planner) stop() {
	p.add("the gateway is stopped", func(w *world) { w.shutdown() })
	p.back()
}

func (p *planner) back() {
	if p.rand.IntN(4) == 0 { // in vain
		p.at += p.gap()
		p.fresh()
	}
	p.at += p.away()
	p.add("the gateway is started", func(w *world) {
		if w.current.Load() == nil {
			w.boot()
		}
	})
}

func (p *planner) reload() {
	p.now = p.now.changed(p.rand, p.last.routes)
	if len(p.now.schedules) == 0 && p.rand.IntN(2) == 0 {
		p.now.schedules = p.last.schedules
	}
	l := p.now
	p.add("another configuration", func(w *world) { w.note("it is\n%s", l.yaml()); w.reload(l) })
}

// jump: the clock that schedules go by is put forward or back.
func (p *planner) jump() {
	by := time.Duration(p.rand.Int64N(int64(20*time.Minute))) - 10*time.Minute
	p.add(fmt.Sprintf("the clock is put forward by %v", by), func(w *world) { w.clock.Add(int64(by)) })
}

func (p *planner) breakFile() {
	l := p.now.clone()
	l.broken = []string{"  : {", "  x: {events: [a], run: nowhere/x}\n", "store: {path: /else}\n", "  x: {events: [a], run: near/x, when: event.data.}\n"}[p.rand.IntN(4)]
	p.add(fmt.Sprintf("a broken configuration, %q", l.broken), func(w *world) { w.reload(l) })
}

func (p *planner) engine() {
	far := p.rand.IntN(2) == 0
	p.add(fmt.Sprintf("an engine is killed, far %t", far), func(w *world) { w.machine(far).crash() })
}

func (p *planner) pause() {
	far, wait := p.rand.IntN(2) == 0, time.Duration(p.rand.Int64N(int64(8*time.Second)))
	p.add(fmt.Sprintf("an engine is slow for %v, far %t", wait, far), func(w *world) {
		m := w.machine(far)
		m.mu.Lock()
		m.paused = time.Now().Add(wait)
		m.mu.Unlock()
	})
}

func (w *world) machine(far bool) *machine {
	if far {
		return w.far
	}
	return w.near
}

func (p *planner) person() {
	n := p.rand.IntN(1000)
	switch p.rand.IntN(6) {
	case 0, 1:
		p.add("a person retries what is dead", func(w *world) { w.person("retry", n, store.Dead, store.Discarded) })
	case 2:
		p.add("a person discards something", func(w *world) { w.person("discard", n, store.Pending, store.Running, store.Dead, store.Waiting) })
	case 3:
		p.add("a person cancels something", func(w *world) { w.person("cancel", n, store.Running, store.Waiting) })
	case 4:
		p.add("a person retries what waits", func(w *world) { w.person("retry", n, store.Pending) })
	default:
		p.add("a person answers", func(w *world) { w.person("answer", n, store.Waiting) })
	}
}

func (w *world) background() context.Context { return context.Background() }
