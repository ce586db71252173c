package simulation

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// layout is a configuration as the model sees it: written as YAML for the
// gateway, and read here without any of its code.
type layout struct {
	routes    map[string]*rule
	schedules map[string]*timing
	// broken is added to make it one that is refused.
	broken string
}

// rule is a route.
type rule struct {
	events      []string
	engine      string
	strict, key bool
	input       bool
	concurrency int
	rate        int
	window      time.Duration
	priority    int
	attempts    int
	min, max    time.Duration
	giveUp      time.Duration
	timeout     time.Duration
	// wait and most are of a debounce; zero: there is none.
	wait, most time.Duration
}

// timing is a schedule.
type timing struct {
	cron, zone string
	every      time.Duration
	missed     string
	overlap    string
	both       bool // dst: fires at both of a time that comes twice
	skip       bool // dst: not at a time that does not exist
}

// inFlight is how many runs at a time each engine gets.
const inFlight = 6

// defaultTimeout is what an engine has for one attempt.
const defaultTimeout = 4 * time.Second

// missedWindow is how far back schedules make up.
const missedWindow = time.Hour

// Secrets of the webhooks.
const (
	githubSecret = "c2lnbmVkLWJ5LWdpdGh1Yi0x"
	ownSecret    = "b3duLXNpZ25lcnMtc2VjcmV0LTc3"
)

// tolerance of the signed time of the webhook own.
const tolerance = 5 * time.Minute

// eventTypes are the types of events that come from outside.
var eventTypes = []string{"github.push", "github.issues", "own", "job.run", "job.stop"}

// matches tells whether an event takes the route.
func (r *rule) matches(kind string) bool {
	return slices.ContainsFunc(r.events, func(p string) bool {
		prefix, any := strings.CutSuffix(p, "*")
		return p == kind || any && strings.HasPrefix(kind, prefix) && len(kind) > len(prefix)
	})
}

// takers are the routes that an event takes, by name.
func (l *layout) takers(kind string) (names []string) {
	for name, r := range l.routes {
		if r.matches(kind) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (l *layout) clone() *layout {
	c := &layout{routes: map[string]*rule{}, schedules: maps.Clone(l.schedules)}
	for name, r := range l.routes {
		same := *r
		c.routes[name] = &same
	}
	return c
}

// yaml is the file.
func (l *layout) yaml() string {
	var b strings.Builder
	fmt.Fprintf(&b, `version: 1
engines:
  near: {plugin: /near, limits: {in_flight: %d, timeout: %s}}
  far: {plugin: /far, limits: {in_flight: %d, timeout: %s}}
webhooks:
  gh: {scheme: github, secrets: [%s]}
  own:
    scheme: hmac
    secrets: [%s]
    signature:
      {header: X-Signature, signed: "{id}.{timestamp}.{body}", id: {header: X-Id}, timestamp: {header: X-Timestamp, unit: s}, tolerance: %s}
schedules:
`, inFlight, ms(defaultTimeout), inFlight, ms(defaultTimeout), githubSecret, ownSecret, ms(tolerance))
	for _, name := range slices.Sorted(maps.Keys(l.schedules)) {
		l.schedules[name].write(&b, name)
	}
	b.WriteString("routes:\n")
	for _, name := range slices.Sorted(maps.Keys(l.routes)) {
		l.routes[name].write(&b, name)
	}
	b.WriteString(l.broken)
	return b.String()
}

func (s *timing) write(b *strings.Builder, name string) {
	fmt.Fprintf(b, "  %s: {", name)
	if s.every > 0 {
		fmt.Fprintf(b, "every: %s", ms(s.every))
	} else {
		fmt.Fprintf(b, "cron: %q, timezone: %s", s.cron, s.zone)
	}
	fmt.Fprintf(b, ", missed: %s, missed_window: %s, overlap: %s, data: {key: k0, n: 7}", s.missed, ms(missedWindow), s.overlap)
	if s.skip && s.every == 0 {
		b.WriteString(", dst: {gap: skip}")
	}
	if s.both && s.every == 0 {
		b.WriteString(", dst: {repeat: both}")
	}
	b.WriteString("}\n")
}

func (r *rule) write(b *strings.Builder, name string) {
	fmt.Fprintf(b, "  %s: {events: [%s], run: %s/%s", name, strings.Join(r.events, ", "), r.engine, workflowOf(name))
	if r.key {
		b.WriteString(", key: event.data.key")
	}
	if r.strict {
		b.WriteString(", order: strict")
	}
	if r.input {
		b.WriteString(`, with: {n: "${{ event.data.n }}"}`)
	}
	if r.concurrency > 0 && !r.strict {
		fmt.Fprintf(b, ", concurrency: %d", r.concurrency)
	}
	if r.rate > 0 {
		fmt.Fprintf(b, ", rate: %d/%s", r.rate, ms(r.window))
	}
	if r.wait > 0 {
		fmt.Fprintf(b, ", debounce: {wait: %s, max: %s}", ms(r.wait), ms(r.most))
	}
	if r.timeout > 0 {
		fmt.Fprintf(b, ", timeout: %s", ms(r.timeout))
	}
	fmt.Fprintf(b, ", priority: %d, retry: {attempts: %d, backoff: %s..%s, jitter: 0%%, give_up_after: %s}}\n",
		r.priority, r.attempts, ms(r.min), ms(r.max), ms(r.giveUp))
}

// ms is a duration as the file has it.
func ms(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }

func workflowOf(route string) string { return "do-" + route }

func routeOf(workflow string) string { return strings.TrimPrefix(workflow, "do-") }

// firstLayout makes a configuration up.
func firstLayout(r *rand.Rand) *layout {
	l := &layout{routes: map[string]*rule{}, schedules: map[string]*timing{}}
	for i := range 2 + r.IntN(4) {
		l.routes[fmt.Sprint("r", i)] = randomRule(r)
	}
	if r.IntN(3) > 0 {
		dead := randomRule(r)
		dead.events, dead.key, dead.input = []string{"gateway.delivery.dead"}, false, false
		l.routes["dead"] = dead
	}
	return l
}

func randomRule(r *rand.Rand) *rule {
	x := &rule{
		engine: []string{"near", "far"}[r.IntN(2)], attempts: 1 + r.IntN(4),
		min: time.Duration(200+r.IntN(800)) * time.Millisecond, giveUp: time.Hour,
	}
	x.max = x.min * time.Duration(1+r.IntN(6))
	for _, kind := range eventTypes {
		if r.IntN(3) == 0 {
			x.events = append(x.events, kind)
		}
	}
	switch {
	case r.IntN(4) == 0:
		x.events = append(x.events, "schedule.*")
	case len(x.events) == 0 || r.IntN(5) == 0:
		x.events = []string{"github.*", "job.*"}
	}
	x.strict, x.key = r.IntN(3) == 0, r.IntN(3) > 0
	x.input = r.IntN(2) == 0
	if r.IntN(4) == 0 {
		x.concurrency = 1 + r.IntN(3)
	}
	if r.IntN(4) == 0 {
		x.rate, x.window = 1+r.IntN(5), time.Duration(1+r.IntN(10))*time.Second
	}
	if r.IntN(4) == 0 {
		x.gather(r)
	}
	if r.IntN(4) == 0 {
		x.priority = r.IntN(5) - 2
	}
	if r.IntN(4) == 0 {
		x.timeout = time.Duration(500+r.IntN(4000)) * time.Millisecond
	}
	if r.IntN(8) == 0 {
		x.giveUp = time.Duration(2+r.IntN(6)) * time.Second
	}
	return x
}

func (r *rule) gather(rand *rand.Rand) {
	r.wait = time.Duration(500+rand.IntN(5000)) * time.Millisecond
	r.most, r.input = r.wait*time.Duration(1+rand.IntN(5)), false
}

// changed makes another configuration of one: a route goes, comes or is another
// than it was.
func (l *layout) changed(r *rand.Rand, all map[string]*rule) *layout {
	c := l.clone()
	names := slices.Sorted(maps.Keys(all))
	for range 1 + r.IntN(2) {
		name := names[r.IntN(len(names))]
		now := c.routes[name]
		switch n := r.IntN(10); {
		case now == nil:
			same := *all[name]
			c.routes[name] = &same
		case n < 2:
			delete(c.routes, name)
		case n < 4:
			now.strict = !now.strict
		case n < 5:
			now.engine = map[string]string{"near": "far", "far": "near"}[now.engine]
		case n < 6:
			now.rate, now.window = 1+r.IntN(8), time.Duration(1+r.IntN(5))*time.Second
		case n < 7 && r.IntN(2) == 0:
			now.rate, now.concurrency = 0, r.IntN(3)
		case n < 7 && now.wait > 0:
			now.wait, now.most = 0, 0
		case n < 7:
			now.gather(r)
		case n < 8:
			now.priority = r.IntN(5) - 2
		default:
			now.attempts, now.min = 1+r.IntN(5), time.Duration(200+r.IntN(800))*time.Millisecond
			now.max = now.min * 3
		}
	}
	if len(l.schedules) > 0 && r.IntN(4) == 0 {
		for _, name := range slices.Sorted(maps.Keys(l.schedules)) {
			delete(c.schedules, name)
			break
		}
	}
	return c
}
