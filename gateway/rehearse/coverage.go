package rehearse

import (
	"fmt"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/route"
)

// Coverage remembers which parts of the routes a set of events has tried. A
// route has been tried when an event took it, a condition when it kept one from
// its route: a condition that never says no could as well not be there, for all
// that the events show.
type Coverage struct{ routes map[string]*tried }

type tried struct {
	matched int
	// No counts by line of match, with when behind the last.
	no []int
	// values of each line that an event was accepted for.
	values [][]bool
}

// NewCoverage begins to remember.
func NewCoverage() *Coverage { return &Coverage{routes: map[string]*tried{}} }

// Add asks a table about an event and notes the verdicts.
func (c *Coverage) Add(t *route.Table, ev *event.Event) {
	t.Decide(ev, func(v *route.Verdict) {
		t := c.of(v.Route)
		switch v.Step {
		case route.Matched:
			t.match(v.Route, ev)
		case route.Match:
			t.no[v.Line()]++
		case route.When:
			t.no[len(t.no)-1]++
		}
	})
}

func (t *tried) match(r *route.Route, ev *event.Event) {
	t.matched++
	for line, values := range t.values {
		if i := r.Accepted(line, ev); i >= 0 {
			values[i] = true
		}
	}
}

func (c *Coverage) of(r *route.Route) *tried {
	t := c.routes[r.Name]
	if t == nil {
		lines := r.Lines()
		t = &tried{no: make([]int, len(lines)+1), values: make([][]bool, len(lines))}
		for i, l := range lines {
			t.values[i] = make([]bool, len(l.Accept))
		}
		c.routes[r.Name] = t
	}
	return t
}

// Covered is how much of a table has been tried.
type Covered struct {
	// Routes and those of them that an event took.
	Routes  int `json:"routes"`
	Matched int `json:"matched"`
	// Conditions, which are lines of match and whens, and those that decided.
	Conditions int `json:"conditions"`
	Decided    int `json:"decided"`
	// Gaps are what has not been tried, route by route.
	Gaps []Gap `json:"gaps"`
}

// Gap is a part of a route that no event has tried.
type Gap struct {
	Route string `json:"route"`
	// Field is empty for the route itself, else match.<path> or when.
	Field string `json:"field,omitempty"`
	// Value is one of those that a line accepts, where only it is untried.
	Value any    `json:"value,omitempty"`
	Says  string `json:"says"`
}

// Of tells how much of a table has been tried.
func (c *Coverage) Of(t *route.Table) Covered {
	out := Covered{Routes: len(t.Routes()), Gaps: []Gap{}}
	for _, r := range t.Routes() {
		seen := c.of(r)
		if seen.matched > 0 {
			out.Matched++
		} else {
			out.Gaps = append(out.Gaps, Gap{Route: r.Name, Says: "no case matches it"})
		}
		out.conditions(r, seen)
	}
	return out
}

func (c *Covered) conditions(r *route.Route, seen *tried) {
	for i, line := range r.Lines() {
		field := "match." + line.Path
		c.condition(r, field, seen.no[i])
		for j, accepted := range seen.values[i] {
			if seen.matched > 0 && !accepted && len(line.Accept) > 1 {
				c.Gaps = append(c.Gaps, Gap{r.Name, field, line.Accept[j], fmt.Sprintf("no case has %s", brief(asJSON(line.Accept[j])))})
			}
		}
	}
	if r.Conditional() {
		c.condition(r, "when", seen.no[len(seen.no)-1])
	}
}

func (c *Covered) condition(r *route.Route, field string, no int) {
	c.Conditions++
	if no > 0 {
		c.Decided++
		return
	}
	c.Gaps = append(c.Gaps, Gap{Route: r.Name, Field: field, Says: "keeps no case from it"})
}
