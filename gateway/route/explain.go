package route

import (
	"slices"
	"strings"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/expr"
)

// Step is a part of a route, in the order in which they are asked.
type Step uint8

// The steps; Matched is where none of them ended it.
const (
	Matched Step = iota
	Events
	Match
	When
	Key
	With
)

func (s Step) String() string {
	return [...]string{"matched", "events", "match", "when", "key", "with"}[s]
}

// end is where a decision ended: at which step, and for Match at which line.
type end struct {
	step Step
	line int
}

// Verdict is what a route makes of an event, and why.
type Verdict struct {
	Route *Route
	// Step that ended it; Matched when the event takes the route, as Hit says.
	Step Step
	Hit  Hit
	// Err is why the step could not tell. The route does not match then.
	Err  error
	line int
}

// Decide gives each verdict of the routes whose types can be the event's, by
// name: those that Match asks. It counts nothing.
func (t *Table) Decide(ev *event.Event, each func(*Verdict)) {
	t.candidates(ev.Type, func(r *Route) {
		v := r.verdict(ev)
		each(&v)
	})
}

// Explain gives the verdict of one route.
func (r *Route) Explain(ev *event.Event) Verdict {
	if !r.takes(ev.Type) {
		return Verdict{Route: r, Step: Events}
	}
	return r.verdict(ev)
}

func (r *Route) verdict(ev *event.Event) Verdict {
	hit, at, err := r.decide(ev)
	return Verdict{Route: r, Step: at.step, Hit: hit, Err: err, line: at.line}
}

// Line is the index among Route.Lines that ended it, where Step is Match.
func (v *Verdict) Line() int { return v.line }

// Line is a line of match, as it is asked.
type Line struct {
	Path   string
	Accept []any
}

// Lines of the route's match in the order in which they are asked.
func (r *Route) Lines() []Line {
	lines := make([]Line, len(r.lines))
	for i := range r.lines {
		lines[i] = Line{r.lines[i].path, r.lines[i].accept}
	}
	return lines
}

// Events are the types that the route takes, as declared.
func (r *Route) Events() []string {
	list := make([]string, len(r.patterns))
	for i, p := range r.patterns {
		list[i] = p.text
	}
	return list
}

// Conditional tells whether the route has a when.
func (r *Route) Conditional() bool { return r.when != nil }

// Saw is what an event has at the path of a line.
func (r *Route) Saw(line int, ev *event.Event) (any, error) { return r.lines[line].value(ev) }

// Accepted is the index of the value that a line accepts an event for, -1 when
// it does not.
func (r *Route) Accepted(line int, ev *event.Event) int {
	value, err := r.lines[line].value(ev)
	if err != nil {
		return -1
	}
	return slices.IndexFunc(r.lines[line].accept, func(want any) bool { return Equal(value, want) })
}

// Why tells which part of the route's when says no to an event, or cannot
// tell.
func (r *Route) Why(ev *event.Event) expr.Finding { return r.when.Explain(ev) }

// Route is the one of a name; nil without one.
func (t *Table) Route(name string) *Route {
	i, ok := slices.BinarySearchFunc(t.routes, name, func(r *Route, name string) int { return strings.Compare(r.Name, name) })
	if !ok {
		return nil
	}
	return t.routes[i]
}
