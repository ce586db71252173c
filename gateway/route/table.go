package route

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/expr"
)

// Table is all routes of one configuration, indexed by event type: an event
// asks only the routes whose types can be its own.
type Table struct {
	routes []*Route
	// exact holds, for every type that some route names in full, all routes
	// that take it, those with a * among them.
	exact map[string][]*Route
	// patterns with a * by their first segment; "*" for those that start so.
	patterns map[string][]*Route
}

// Compile makes a table and returns every mistake in the specs. Counters go
// on from table to table.
func Compile(specs []Spec, env *expr.Env, counters *Counters) (*Table, []*Error) {
	t := &Table{exact: map[string][]*Route{}, patterns: map[string][]*Route{}}
	var errs []*Error
	for _, s := range specs {
		r, mistakes := compile(s, env, counters)
		errs = append(errs, mistakes...)
		t.routes = append(t.routes, r)
	}
	slices.SortFunc(t.routes, func(a, b *Route) int { return strings.Compare(a.Name, b.Name) })
	t.index()
	return t, errs
}

func (t *Table) index() {
	for _, r := range t.routes {
		for _, p := range r.patterns {
			if !p.wild {
				t.exact[p.text] = nil
			} else if first := p.segments[0]; !slices.Contains(t.patterns[first], r) {
				t.patterns[first] = append(t.patterns[first], r)
			}
		}
	}
	for typ := range t.exact {
		for _, r := range t.routes {
			if r.takes(typ) {
				t.exact[typ] = append(t.exact[typ], r)
			}
		}
	}
}

// Routes lists all routes by name.
func (t *Table) Routes() []*Route { return t.routes }

// Match lists the routes that an event takes, by name, and those that could
// not tell because an expression failed.
func (t *Table) Match(ev *event.Event) (hits []Hit, misses []Miss) {
	t.candidates(ev.Type, func(r *Route) {
		hit, at, err := r.decide(ev)
		switch {
		case err != nil:
			r.count.Errors.Add(1)
			misses = append(misses, Miss{r, err})
		case at.step == Matched:
			r.count.Matched.Add(1)
			hits = append(hits, hit)
		}
	})
	return hits, misses
}

func (t *Table) candidates(typ string, each func(*Route)) {
	if routes, ok := t.exact[typ]; ok {
		for _, r := range routes {
			each(r)
		}
		return
	}
	first, _, _ := strings.Cut(typ, ".")
	var found []*Route
	for _, list := range [][]*Route{t.patterns[first], t.patterns["*"]} {
		for _, r := range list {
			if r.takes(typ) && !slices.Contains(found, r) {
				found = append(found, r)
			}
		}
	}
	slices.SortFunc(found, func(a, b *Route) int { return strings.Compare(a.Name, b.Name) })
	for _, r := range found {
		each(r)
	}
}

// takes tells whether one of the route's patterns matches a type.
func (r *Route) takes(typ string) bool {
	return slices.ContainsFunc(r.patterns, func(p pattern) bool { return p.match(typ) })
}

// pattern is an event type, perhaps with * for one or more segments.
type pattern struct {
	text     string
	segments []string
	wild     bool
}

func parsePattern(text string) (pattern, error) {
	p := pattern{text: text, segments: strings.Split(text, ".")}
	for _, s := range p.segments {
		switch {
		case s == "":
			return p, errors.New("an event type has no empty segment")
		case s == "*":
			p.wild = true
		case strings.Contains(s, "*"):
			return p, fmt.Errorf("* stands for whole segments between dots, not for a part of %q", s)
		}
	}
	return p, nil
}

func (p pattern) match(typ string) bool {
	if !p.wild {
		return p.text == typ
	}
	return matchSegments(p.segments, strings.Split(typ, "."))
}

// matchSegments walks both lists once, going back to the last * when stuck,
// so that its time is bounded by the product of the lengths.
func matchSegments(pattern, segments []string) bool {
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(segments) {
		switch {
		case i < len(pattern) && pattern[i] == "*":
			// A * takes one segment at least.
			star, mark = i, j+1
			i, j = i+1, j+1
		case i < len(pattern) && pattern[i] == segments[j]:
			i, j = i+1, j+1
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	return i == len(pattern)
}

// Count is what a route has seen since the gateway started.
type Count struct {
	Matched, Errors atomic.Uint64
}

// Counters keep the counts of routes by name across configurations.
type Counters struct{ byName sync.Map }

func (c *Counters) of(name string) *Count {
	count, _ := c.byName.LoadOrStore(name, &Count{})
	return count.(*Count)
}

// Count of the route so far.
func (r *Route) Count() *Count { return r.count }
