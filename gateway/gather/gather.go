// Package gather makes one event of several, for routes with a debounce. It
// stands beside dispatch: deliveries that gather come to it from their commit,
// or by claims, and leave it as one event with one delivery, which dispatch
// runs like any other.
//
// That happens in one commit. Before it the members are as they came, and after
// a crash they gather anew; after it what runs, its key and its content, never
// changes.
package gather

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
)

// Store is where deliveries come from and where groups go.
type Store interface {
	Claim(c store.Claim, then func(store.Claimed, error))
	Record(c *store.Change)
}

// Options of a Gatherer. All must be set.
type Options struct {
	Store Store
	// Next takes what does not gather.
	Next store.Taker
	// Merge makes an entry of deliveries of one route and key, oldest first; the
	// error is that their route can make no input of them.
	Merge func(members []*store.Delivery) (*store.Entry, error)
	// Route makes an entry of an event of the gateway's own, a dead letter.
	Route func(*event.Event) *store.Entry
	// Follow is asked about every change what is to be called once it is on
	// disk; nil is nothing. Neither may block.
	Follow func(*store.Change) func()
	Log    *zap.Logger
}

const (
	// tickTime is the grain of time.
	tickTime = 50 * time.Millisecond
	// pollTime is when to claim again after a claim that failed.
	pollTime = time.Second
	// maxHeld bounds the deliveries of a route in memory, maxBytes the size of
	// those of all routes; itemBytes is a delivery's without its event.
	maxHeld, maxBytes, itemBytes = 1 << 14, 32 << 20, 512
	// claimSize is how many are claimed at once.
	claimSize, claimBytes = 512, 4 << 20
)

// Gatherer collects. It is the store's Taker, before dispatch.
type Gatherer struct {
	opts Options
	wake chan struct{}

	mu     sync.Mutex
	routes map[string]*route
	ended  []ended // groups to be merged, by Run
	bytes  int     // of what is held and of what claims may bring
}

// route is what memory holds of one route.
type route struct {
	name string
	// rule is nil while the route is not in force: then no group of it ends.
	rule *Rule
	open map[string]*group // by order key
	// held counts the deliveries in memory, those on their way to the store
	// included, and bytes their size.
	held, bytes int
	// backlog: the store may have more. claiming: it has been asked. known: all
	// that the store had at first has been seen.
	backlog, claiming, known bool
	// paused is until when a claim that failed is not made again.
	paused time.Time
}

// ended is a group that nothing joins any more.
type ended struct {
	of      *route
	members []*store.Delivery
}

// New makes a Gatherer without rules: what comes stays in the store.
func New(o Options) *Gatherer {
	return &Gatherer{opts: o, wake: make(chan struct{}, 1), routes: map[string]*route{}}
}

// Recall tells of routes of which the store has something to gather, whatever
// the rules are by now. It is called before the first rules are put in force.
func (g *Gatherer) Recall(routes []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, name := range routes {
		g.route(name)
	}
}

// Apply puts the rules of all routes in force. Those without a debounce have the
// zero rule, for what came while they had one.
func (g *Gatherer) Apply(rules map[string]Rule) {
	g.mu.Lock()
	for name, rule := range rules {
		if rule.Wait > 0 {
			g.route(name)
		}
	}
	for name, r := range g.routes {
		rule, in := rules[name]
		switch {
		case !in:
			r.rule = nil
		case r.rule == nil:
			r.backlog, r.known = true, false
			fallthrough
		default:
			r.rule = &rule
		}
	}
	g.mu.Unlock()
	g.signal()
}

func (g *Gatherer) route(name string) *route {
	r := g.routes[name]
	if r == nil {
		r = &route{name: name, open: map[string]*group{}}
		g.routes[name] = r
	}
	return r
}

func (g *Gatherer) signal() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// Run ends groups when it is time, and claims, until ctx ends. What is open
// then is open again at the next start.
func (g *Gatherer) Run(ctx context.Context) error {
	tick := time.NewTicker(tickTime)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-g.wake:
		case now := <-tick.C:
			g.ripen(now)
		}
		g.step(time.Now())
	}
}

func (g *Gatherer) step(now time.Time) {
	g.mu.Lock()
	groups := g.ended
	g.ended = nil
	claims := g.hungry(now)
	g.mu.Unlock()
	for _, c := range claims {
		g.opts.Store.Claim(c.Claim, func(got store.Claimed, err error) { g.claimed(c, got, err) })
	}
	for _, e := range groups {
		g.merge(e)
	}
}

// ripen ends the groups whose time has come, the oldest first. Before all is known of a route,
// nobody can tell.
func (g *Gatherer) ripen(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := len(g.ended)
	for _, r := range g.routes {
		if r.rule == nil || !r.known {
			continue
		}
		for key, group := range r.open {
			if !group.due(*r.rule).After(now) {
				g.end(r, key)
			}
		}
	}
	slices.SortFunc(g.ended[before:], func(a, b ended) int { return cmp.Compare(a.members[0].Seq, b.members[0].Seq) })
}

// end ends the open group of a key: what comes next begins another.
func (g *Gatherer) end(r *route, key string) {
	g.ended = append(g.ended, ended{r, r.open[key].members})
	delete(r.open, key)
}

// Room tells whether a delivery about to be committed can be held in memory.
// What it cannot count yet are others of the same commit, which is bounded.
func (g *Gatherer) Room(d *store.Delivery) bool {
	if !d.Gather {
		return g.opts.Next.Room(d)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.routes[d.Route]
	if r == nil || r.rule == nil {
		return false
	}
	// What is in the store is older, and comes first.
	if r.backlog || r.claiming || !g.fits(r) {
		r.backlog = true
		return false
	}
	return true
}

func (g *Gatherer) fits(r *route) bool { return r.held < maxHeld && g.spare(r) > 0 }

// spare is how many bytes a route may still take into memory: what is left of
// all, but always its own fair share.
func (g *Gatherer) spare(r *route) int {
	return max(maxBytes-g.bytes, maxBytes/max(1, len(g.routes))-r.bytes)
}

// Take receives committed deliveries, in commit order.
func (g *Gatherer) Take(ds []*store.Delivery) {
	rest, now := ds[:0], time.Now()
	for _, d := range ds {
		if d.Gather {
			g.take(d, now)
		} else {
			rest = append(rest, d)
		}
	}
	if len(rest) > 0 {
		g.opts.Next.Take(rest)
	}
}

func (g *Gatherer) take(d *store.Delivery, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r := g.route(d.Route); d.Claimed {
		g.join(r, d, now)
	} else {
		r.backlog = true
	}
	g.signal()
}

// join takes a delivery into the open group of its key.
func (g *Gatherer) join(r *route, d *store.Delivery, now time.Time) {
	// Whether the route still gathers is not known while it is not in force.
	alone := r.rule != nil && r.rule.Wait == 0
	if open := r.open[d.Key]; open != nil && !open.fits(alone, d) {
		g.end(r, d.Key)
	}
	if r.open[d.Key] == nil {
		r.open[d.Key] = &group{}
	}
	r.open[d.Key].add(d, now)
	g.weigh(r, d, 1)
}

// weigh counts a delivery in (1) or out (-1).
func (g *Gatherer) weigh(r *route, d *store.Delivery, n int) {
	size := n * (itemBytes + len(d.Event.Body) + len(d.Input))
	r.held += n
	r.bytes += size
	g.bytes += size
}
