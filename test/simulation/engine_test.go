package simulation

import (
	"context"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/event-gateway/gateway/gateway/engine"
)

// machine is an engine and the world behind it. Runs of the near one end with
// its process, and that ends with the gateway; those of the far one go on
// elsewhere, and it can tell what became of them.
type machine struct {
	w    *world
	name string
	far  bool

	mu     sync.Mutex
	up     bool
	ready  chan struct{}
	paused time.Time // until then a run that begins only begins
	live   map[string]*call
	jobs   map[string]*job
	begun  map[string]int // how often, by key
}

// call is a run as the gateway sees it: one that it has begun or taken up.
type call struct {
	line   *line
	report func(engine.Update)
	c      engine.Call
	route  string
	at     time.Time
}

// job is a run as the world sees it.
type job struct {
	key, route string
	attempt    int
	fate       fate
	begun      time.Time
	cancelled  chan struct{}
	answered   chan struct{}
	killed     chan struct{} // with its process
	asked      bool
	waits      bool
	done       *engine.Update
}

// line is a machine as one gateway has it. After that gateway's end nothing
// passes over it any more.
type line struct {
	*machine
	in *instance
}

func newMachine(w *world, name string, far bool) *machine {
	return &machine{
		w: w, name: name, far: far, ready: make(chan struct{}),
		live: map[string]*call{}, jobs: map[string]*job{}, begun: map[string]int{},
	}
}

// kind of what becomes of a run.
type kind int

const (
	succeeds kind = iota
	fails
	failsForGood
	throttles
	hangs     // until it is asked to end
	hangsOn   // even then
	endsTwice // says two ends
	kills     // its engine
	asks      // a person
	refused   // not even begun
	mumbles   // says much before it succeeds
)

type fate struct {
	kind  kind
	delay time.Duration
	after time.Duration // what the engine wishes before another attempt
}

// fateOf depends on the seed and on what runs for the how-manieth time alone,
// never on what else happened before: so that what is left out of a history
// changes as little of the rest as possible.
func (m *machine) fateOf(c *engine.Call, n int) fate {
	h := fnv.New64a()
	h.Write([]byte(c.Event.Source + "\x00" + c.Event.ID + "\x00" + c.Workflow))
	id := h.Sum64()
	r := rand.New(rand.NewPCG(m.w.plan.seed^id, uint64(n)))
	f := fate{delay: time.Duration(r.Int64N(int64(300 * time.Millisecond)))}
	if r.IntN(5) == 0 {
		f.delay = time.Duration(r.Int64N(int64(3 * time.Second)))
	}
	if id%11 == m.w.plan.seed%11 {
		f.kind = fails // always: it ends as a dead letter
		return f
	}
	if m.w.calm.Load() {
		f.delay %= 50 * time.Millisecond
		return f
	}
	moods := m.w.plan.moods
	f.kind = moods[r.IntN(len(moods))]
	if f.kind == throttles {
		f.after = time.Duration(r.Int64N(int64(2 * time.Second)))
	}
	return f
}

// Run implements dispatch.Engine.
func (l *line) Run(c engine.Call, report func(engine.Update)) error {
	m := l.machine
	c = apply(l.in.w.bugs.onCall, c)
	tell := report
	report = func(u engine.Update) { tell(apply(l.in.w.bugs.onUpdate, u)) }
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case l.in.dead.Load() || !m.up:
		return engine.ErrDown
	case m.live[c.Key] != nil:
		return engine.ErrInFlight
	}
	route := routeOf(c.Workflow)
	n := m.begun[c.Key]
	f := m.fateOf(&c, n)
	m.begun[c.Key]++
	if f.kind == refused {
		m.w.note("%s: refuses %s", m.name, c.Key)
		return engine.ErrBusy
	}
	m.w.model.began(l, route, &c, m.live)
	at := &call{line: l, report: report, c: c, route: route, at: time.Now()}
	m.live[c.Key] = at
	if j := m.jobs[c.Key]; m.far && j != nil && (j.done == nil || j.done.Kind == engine.Succeeded) {
		if j.done != nil { // the key says that it has been done
			done := *j.done
			go func() { m.react(c.Key); m.say(c.Key, at, done) }()
		}
		return nil
	}
	j := &job{
		key: c.Key, route: route, attempt: c.Attempt, fate: f, begun: time.Now(),
		cancelled: make(chan struct{}), answered: make(chan struct{}), killed: make(chan struct{}),
	}
	if wait := time.Until(m.paused); wait > 0 {
		j.fate.delay += wait
	}
	m.jobs[c.Key] = j
	m.w.work.Go(func() { m.perform(j, at) })
	return nil
}

// react is how long what runs under a key takes to begin, or to notice
// something: each its own time, so that no two of them, nor what the gateway
// does meanwhile, fall on one instant. Of that Go would choose the order.
func (m *machine) react(key string) {
	h := fnv.New64a()
	h.Write([]byte(key))
	time.Sleep(time.Duration(1 + h.Sum64()%uint64(100*time.Microsecond)))
}

// perform is what a workflow does.
func (m *machine) perform(j *job, at *call) {
	m.react(j.key)
	tell := func(u engine.Update) { m.tell(j, u) }
	if j.fate.kind == mumbles || j.fate.delay > 400*time.Millisecond {
		tell(engine.Update{Kind: engine.Accepted, RunID: "run-" + j.key})
	}
	if j.fate.kind == mumbles {
		tell(engine.Update{Kind: engine.Progress, Step: "half", Fraction: 0.5})
	}
	left := j.sleep(j.fate.delay)
	m.react(j.key)
	if !left {
		m.end(j, engine.Update{Kind: engine.Failed, Message: "asked to end"})
		return
	}
	switch j.fate.kind {
	case fails:
		m.end(j, engine.Update{Kind: engine.Failed, Message: "no luck"})
	case failsForGood:
		m.end(j, engine.Update{Kind: engine.Failed, Failure: engine.Permanent, Message: "never"})
	case throttles:
		m.end(j, engine.Update{Kind: engine.Failed, Failure: engine.Throttled, RetryAfter: j.fate.after})
	case hangs:
		select {
		case <-j.cancelled:
		case <-j.killed:
		case <-time.After(time.Minute): // one that nobody asks any more
		}
		m.react(j.key)
		m.end(j, engine.Update{Kind: engine.Failed, Message: "asked to end"})
	case hangsOn:
		select {
		case <-j.killed:
		case <-time.After(30 * time.Second):
			m.end(j, engine.Update{Kind: engine.Failed, Message: "late"})
		}
	case kills:
		m.crash()
	case asks:
		m.ask(j)
	default:
		m.end(j, engine.Update{Kind: engine.Succeeded, Output: []byte(`{"ok":true}`)})
		if j.fate.kind == endsTwice {
			time.Sleep(j.fate.delay / 2)
			at.report(engine.Update{Kind: engine.Failed, Failure: engine.Permanent, Message: "on second thought"})
		}
	}
}

// sleep tells whether the run was left alone meanwhile.
func (j *job) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-j.cancelled:
		return j.fate.kind == hangsOn || j.fate.kind == kills
	case <-j.killed:
		return true // whatever it says, nobody hears it
	}
}

// ask waits for a person's answer, but not for ever.
func (m *machine) ask(j *job) {
	m.mu.Lock()
	j.waits = true
	m.mu.Unlock()
	m.tell(j, engine.Update{Kind: engine.Waiting, Prompt: "may I?"})
	select {
	case <-j.answered:
	case <-time.After(8 * time.Second): // it asked in vain
	case <-j.cancelled:
		m.react(j.key)
		m.end(j, engine.Update{Kind: engine.Failed, Message: "asked to end"})
		return
	case <-j.killed:
		return
	}
	m.react(j.key)
	m.mu.Lock()
	j.waits = false
	m.mu.Unlock()
	m.end(j, engine.Update{Kind: engine.Succeeded, Output: []byte(`{"ok":true}`)})
}

// tell says something of a run that goes on.
func (m *machine) tell(j *job, u engine.Update) {
	m.mu.Lock()
	at := m.live[j.key]
	gone := m.jobs[j.key] != j
	m.mu.Unlock()
	if at != nil && !gone {
		at.report(u)
	}
}

// end is the end of a run, and what the gateway hears of it.
func (m *machine) end(j *job, u engine.Update) {
	u.Process = m.name
	m.mu.Lock()
	select {
	case <-j.killed:
		m.mu.Unlock()
		return
	default:
	}
	if j.done != nil || m.jobs[j.key] != j {
		m.mu.Unlock()
		return
	}
	j.done = &u
	m.w.model.ended(j, u)
	at := m.live[j.key]
	m.mu.Unlock()
	if at != nil {
		m.say(j.key, at, u)
	}
}

// say reports the end of a call, if it is still the one that is meant.
func (m *machine) say(key string, at *call, u engine.Update) {
	m.mu.Lock()
	heard := m.live[key] == at && !at.line.in.dead.Load()
	if m.live[key] == at {
		delete(m.live, key)
	}
	if heard {
		m.w.model.heard(key, at.route, at.c.Attempt, u)
	}
	m.mu.Unlock()
	if heard {
		at.report(u)
	}
}

// Attach implements dispatch.Engine.
func (l *line) Attach(_ context.Context, key, _ string, report func(engine.Update)) (engine.Update, error) {
	m := l.machine
	m.react(key)
	m.mu.Lock()
	defer m.mu.Unlock()
	if l.in.dead.Load() || !m.up {
		return engine.Update{}, engine.ErrDown
	}
	j := m.jobs[key]
	switch {
	case j == nil || j.done != nil && j.done.Kind != engine.Succeeded:
		return engine.Update{}, nil
	case j.done != nil:
		m.w.model.heard(key, j.route, j.attempt, *j.done)
		return *j.done, nil
	}
	m.live[key] = &call{line: l, report: report, route: j.route, at: time.Now(), c: engine.Call{Key: key, Attempt: j.attempt}}
	m.w.note("%s: %s is taken up", m.name, key)
	if j.waits {
		return engine.Update{Kind: engine.Waiting, Prompt: "may I?"}, nil
	}
	return engine.Update{Kind: engine.Running}, nil
}

// Answer implements dispatch.Engine.
func (l *line) Answer(key string, _ []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	j := l.jobs[key]
	if l.in.dead.Load() || !l.up || j == nil {
		return engine.ErrDown
	}
	if !j.asked {
		j.asked = true
		close(j.answered)
	}
	return nil
}

// Cancel implements dispatch.Engine.
func (l *line) Cancel(key, _ string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if j := l.jobs[key]; j != nil && !l.in.dead.Load() && l.live[key] != nil {
		select {
		case <-j.cancelled:
		default:
			close(j.cancelled)
		}
	}
}

// Forget implements dispatch.Engine.
func (l *line) Forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at := l.live[key]; at != nil && at.line == l {
		delete(l.live, key)
		if !l.in.dead.Load() {
			l.w.model.heard(key, at.route, at.c.Attempt, engine.Update{Kind: engine.Failed, Message: "forgotten"})
		}
	}
}

// Ready implements dispatch.Engine.
func (l *line) Ready() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ready
}

// Describe implements dispatch.Engine.
func (l *line) Describe() engine.Description {
	return engine.Description{Name: l.name, CanGet: l.far, CanAnswer: true}
}

// start starts a process.
func (m *machine) start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.up {
		m.up = true
		close(m.ready)
	}
}

// stop ends the process with its runs, and returns the calls that are lost.
func (m *machine) stop() (lost []*call) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.up {
		m.up, m.ready = false, make(chan struct{})
	}
	for _, key := range slices.Sorted(maps.Keys(m.live)) {
		lost = append(lost, m.live[key])
	}
	clear(m.live)
	if !m.far {
		for _, j := range m.jobs {
			if j.done == nil {
				select {
				case <-j.killed:
				default:
					close(j.killed)
				}
			}
		}
	}
	return lost
}

// downTime is how long an engine takes to be back. It is no multiple of what the
// gateway counts time in: one that crashed as the gateway started would be back
// just when it looks.
const downTime = 700*time.Millisecond + 123457

// crash ends the process; another one comes.
func (m *machine) crash() {
	lost := m.stop()
	m.w.note("%s: crashed under %d runs", m.name, len(lost))
	for _, at := range lost {
		if !at.line.in.dead.Load() {
			m.w.model.lost(at.c.Key)
			at.report(engine.Update{Kind: engine.Lost, Message: "crashed"})
			time.Sleep(time.Nanosecond) // the gateway looks at one after the other
		}
	}
	m.w.work.Go(func() {
		time.Sleep(downTime)
		if in := m.w.current.Load(); in != nil && !in.dead.Load() {
			m.start()
		}
	})
}
