// Package plan tells what a new configuration would have made of events that an
// old one has seen: which would newly run, which no longer, and which with
// another input, order key or workflow. It asks only routes that are not the
// same in both, by the code that routes events when they come.
package plan

import (
	"bytes"
	"cmp"
	"encoding/json"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/expr"
	"github.com/event-gateway/gateway/gateway/rehearse"
	"github.com/event-gateway/gateway/gateway/route"
)

// Kinds of changes.
const (
	// Runs: the event takes the route newly; Stops: no longer.
	Runs  = "runs"
	Stops = "stops"
	// Changed: it takes the route as before, with another input, order key or
	// workflow.
	Changed = "changed"
	// Fails: it takes the route neither before nor now, but now because an
	// expression fails: a field that is not there, most often.
	Fails = "fails"
)

// Change is what becomes of an event otherwise at a route.
type Change struct {
	Event Event  `json:"event"`
	Route string `json:"route"`
	Kind  string `json:"kind"`
	// Fields of a changed one: run, input, key.
	Fields []string `json:"fields,omitempty"`
	Before *Taken   `json:"before,omitempty"`
	After  *Taken   `json:"after,omitempty"`
	// Why the event does not take the route: before of one that runs newly, now
	// of one that stops or fails.
	Why string `json:"why,omitempty"`
}

// Event is the one of a change.
type Event struct {
	ID     string `json:"id"`
	Source string `json:"source"`
	Type   string `json:"type"`
}

// Taken is how an event takes a route.
type Taken struct {
	Run   string          `json:"run"`
	Input json.RawMessage `json:"input,omitempty"`
	Key   string          `json:"key,omitempty"`
}

// Plan compares the routes of two configurations.
type Plan struct {
	old, now *route.Table
	asked    []string
}

// New compiles the routes that differ. The specs are those of configurations
// that have been found sound.
func New(old, now []route.Spec, env *expr.Env) (*Plan, []*route.Error) {
	p := &Plan{}
	a, b := differing(old, now), differing(now, old)
	for _, s := range append(slices.Clone(a), b...) {
		p.asked = append(p.asked, s.Name)
	}
	slices.Sort(p.asked)
	p.asked = slices.Compact(p.asked)
	var mistakes, more []*route.Error
	p.old, mistakes = route.Compile(a, env, &route.Counters{})
	p.now, more = route.Compile(b, env, &route.Counters{})
	return p, append(mistakes, more...)
}

// differing are the specs of one list that the other does not have as they are.
func differing(from, other []route.Spec) (list []route.Spec) {
	known := make(map[string]route.Spec, len(other))
	for _, s := range other {
		known[s.Name] = s
	}
	for _, s := range from {
		if twin, ok := known[s.Name]; !ok || !reflect.DeepEqual(s, twin) {
			list = append(list, s)
		}
	}
	return list
}

// Routes are the names of the routes that are not the same in both.
func (p *Plan) Routes() []string { return p.asked }

// Of compares what becomes of an event, and tells why.
func (p *Plan) Of(ev *event.Event) []Change {
	list := p.of(ev)
	for i := range list {
		p.why(&list[i], ev)
	}
	return list
}

func (p *Plan) of(ev *event.Event) []Change {
	byName := map[string]Change{}
	failed := map[string]bool(nil)
	p.old.Decide(ev, func(v *route.Verdict) {
		if t := taken(v); t != nil {
			byName[v.Route.Name] = Change{Before: t}
		} else if v.Err != nil {
			if failed == nil {
				failed = map[string]bool{}
			}
			failed[v.Route.Name] = true
		}
	})
	p.now.Decide(ev, func(v *route.Verdict) {
		before := byName[v.Route.Name].Before
		if t := taken(v); t != nil {
			byName[v.Route.Name] = Change{Before: before, After: t}
		} else if v.Err != nil && before == nil && !failed[v.Route.Name] {
			byName[v.Route.Name] = Change{Kind: Fails}
		}
	})
	var list []Change
	for name, c := range byName {
		c.Route, c.Event = name, Event{ID: ev.ID, Source: ev.Source, Type: ev.Type}
		if c.differs() {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b Change) int { return strings.Compare(a.Route, b.Route) })
	return list
}

// differs tells whether the event takes the route otherwise, and how.
func (c *Change) differs() bool {
	switch {
	case c.Kind == Fails:
	case c.Before == nil:
		c.Kind = Runs
	case c.After == nil:
		c.Kind = Stops
	default:
		c.Kind, c.Fields = Changed, fields(c.Before, c.After)
		return len(c.Fields) > 0
	}
	return true
}

// why tells what keeps an event from a route, by the table in which it does not
// take it.
func (p *Plan) why(c *Change, ev *event.Event) {
	in, absent := p.old, "the route is new"
	switch c.Kind {
	case Changed:
		return
	case Stops, Fails:
		in, absent = p.now, "the route is gone"
	}
	if r := in.Route(c.Route); r != nil {
		absent = rehearse.Of(r.Explain(ev), ev).Failed.String()
	}
	c.Why = absent
}

func taken(v *route.Verdict) *Taken {
	if v.Step != route.Matched {
		return nil
	}
	return &Taken{Run: v.Route.Engine + "/" + v.Route.Workflow, Input: v.Hit.Input, Key: v.Hit.Key}
}

func fields(a, b *Taken) (list []string) {
	if a.Run != b.Run {
		list = append(list, "run")
	}
	if !bytes.Equal(a.Input, b.Input) {
		list = append(list, "input")
	}
	if a.Key != b.Key {
		list = append(list, "key")
	}
	return list
}

// Count is how many events change at a route, by kind.
type Count struct {
	Route   string `json:"route"`
	Runs    int    `json:"runs"`
	Stops   int    `json:"stops"`
	Changed int    `json:"changed"`
	Fails   int    `json:"fails"`
}

// Events is what becomes of many events otherwise.
type Events struct {
	Looked int `json:"events"`
	// Affected are those of them with a change.
	Affected int `json:"affected"`
	Runs     int `json:"runs"`
	Stops    int `json:"stops"`
	Changed  int `json:"changed"`
	Fails    int `json:"fails"`
	// Routes with a change, by name.
	Routes []Count `json:"routes"`
	// Changes in the order of the events; Left are those beyond the bound.
	Changes []Change `json:"changes"`
	Left    int      `json:"left,omitempty"`
}

// All compares what becomes of many events, and keeps at most so many changes.
func (p *Plan) All(events []*event.Event, most int) Events {
	found := p.each(events)
	out := Events{Looked: len(events), Routes: []Count{}, Changes: []Change{}}
	counts := map[string]*Count{}
	for i, list := range found {
		if len(list) > 0 {
			out.Affected++
		}
		for _, c := range list {
			n := counts[c.Route]
			if n == nil {
				n = &Count{Route: c.Route}
				counts[c.Route] = n
			}
			n.add(c.Kind)
		}
		room := min(len(list), most-len(out.Changes))
		for j := range list[:room] {
			p.why(&list[j], events[i])
		}
		out.Changes, out.Left = append(out.Changes, list[:room]...), out.Left+len(list)-room
	}
	for _, n := range counts {
		out.Routes = append(out.Routes, *n)
		out.Runs, out.Stops, out.Changed = out.Runs+n.Runs, out.Stops+n.Stops, out.Changed+n.Changed
		out.Fails += n.Fails
	}
	slices.SortFunc(out.Routes, func(a, b Count) int { return cmp.Compare(a.Route, b.Route) })
	return out
}

func (n *Count) add(kind string) {
	switch kind {
	case Runs:
		n.Runs++
	case Stops:
		n.Stops++
	case Fails:
		n.Fails++
	default:
		n.Changed++
	}
}

// each compares events on all processors: each is its own.
func (p *Plan) each(events []*event.Event) [][]Change {
	found := make([][]Change, len(events))
	var workers sync.WaitGroup
	for w, n := 0, runtime.GOMAXPROCS(0); w < n; w++ {
		workers.Go(func() {
			for i := w; i < len(events); i += n {
				found[i] = p.of(events[i])
			}
		})
	}
	workers.Wait()
	return found
}
