// Package route decides which routes an event takes and with what input: the
// pure function of (event, configuration) between a source and the store.
package route

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/expr"
)

// Spec is one route as declared.
type Spec struct {
	Name string
	// Events are event types, exact or with * for one or more segments.
	Events []string
	// Match are conditions on paths such as data.ref, all of which must hold.
	// Each lists the values it accepts: string, json.Number, bool or nil.
	Match map[string][]any
	// When, Key are CEL; empty when absent. With is the template of the input;
	// nil when absent.
	When, Key string
	With      any
	// Gather: the workflow gets events in groups, and With is about a group.
	Gather bool
	// Engine and Workflow are what runs.
	Engine, Workflow string
}

// Route is a compiled route.
type Route struct {
	Name, Engine, Workflow string
	// Gather: Input of a hit is that of the event as a group of its own, for
	// then it is known whether it can be in one; see Input.
	Gather bool
	// Constant is the part of the input that no event changes, and Computed
	// the names of its other keys: what an engine can check at load time.
	Constant []byte
	Computed []string

	patterns []pattern
	lines    []line
	when     *expr.Condition
	key      *expr.Text
	with     *expr.Template
	count    *Count
}

// Error is a mistake in a route, at a field of its declaration.
type Error struct {
	Route string
	// Field leads to the mistake: [when], [match data.ref], [with title].
	Field []string
	// Cause is an *expr.Error, with a position, where CEL found it.
	Cause error
}

func (e *Error) Error() string {
	return fmt.Sprintf("route %s: %s: %v", e.Route, strings.Join(e.Field, "."), e.Cause)
}

func (e *Error) Unwrap() error { return e.Cause }

// compile compiles one route and returns every mistake in it.
func compile(s Spec, env *expr.Env, counters *Counters) (*Route, []*Error) {
	c := compiler{spec: s, env: env, route: &Route{
		Name: s.Name, Engine: s.Engine, Workflow: s.Workflow, Gather: s.Gather, count: counters.of(s.Name),
	}}
	c.events()
	c.match()
	c.expressions()
	return c.route, c.errs
}

type compiler struct {
	spec  Spec
	env   *expr.Env
	route *Route
	errs  []*Error
}

// fail reports a mistake; each of CEL's gets its own.
func (c *compiler) fail(err error, field ...string) {
	causes, ok := err.(expr.Errors)
	if !ok {
		c.errs = append(c.errs, &Error{c.spec.Name, field, err})
		return
	}
	for _, cause := range causes {
		at := append(slices.Clone(field), cause.Path...)
		c.errs = append(c.errs, &Error{c.spec.Name, at, cause})
	}
}

func (c *compiler) events() {
	for i, text := range c.spec.Events {
		p, err := parsePattern(text)
		if err != nil {
			c.fail(err, fmt.Sprintf("events[%d]", i))
			continue
		}
		c.route.patterns = append(c.route.patterns, p)
	}
}

func (c *compiler) match() {
	for path, values := range c.spec.Match {
		l, err := parseLine(path, values)
		if err != nil {
			c.fail(err, "match", path)
			continue
		}
		c.route.lines = append(c.route.lines, l)
	}
	// Attributes before data: they cost no decoding.
	slices.SortFunc(c.route.lines, func(a, b line) int {
		return cmp.Or(cmp.Compare(a.cost(), b.cost()), strings.Compare(a.path, b.path))
	})
}

func (c *compiler) expressions() {
	var err error
	if c.spec.When != "" {
		if c.route.when, err = c.env.Condition(c.spec.When); err != nil {
			c.fail(err, "when")
		}
	}
	if c.spec.Key != "" {
		if c.route.key, err = c.env.Text(c.spec.Key); err != nil {
			c.fail(err, "key")
		}
	}
	if c.spec.With == nil {
		return
	}
	if c.route.with, err = c.env.Template(c.spec.With); err != nil {
		c.fail(err, "with")
		return
	}
	c.route.Constant, c.route.Computed = c.route.with.Constant()
}

// Hit is a route that an event takes.
type Hit struct {
	Route *Route
	// Input is the JSON of `with`; nil without one.
	Input []byte
	// Key is the order key; empty without one.
	Key string
}

// Miss is a route that an event would perhaps have taken, had not an
// expression failed.
type Miss struct {
	Route *Route
	Err   error
}

// decide asks one route, and tells where it ended. An error means that it does
// not match. Whoever explains a decision asks here, too.
func (r *Route) decide(ev *event.Event) (hit Hit, at end, err error) {
	for i := range r.lines {
		if ok, err := r.lines[i].holds(ev); !ok {
			return hit, end{Match, i}, err
		}
	}
	if r.when != nil {
		if ok, err := r.when.Match(ev); !ok {
			return hit, end{step: When}, wrap("when", err)
		}
	}
	hit.Route = r
	if r.key != nil {
		if hit.Key, err = r.key.Eval(ev); err != nil {
			return hit, end{step: Key}, wrap("key", err)
		}
	}
	if r.Gather && r.with != nil {
		ev = event.Group(ev.ID, []*event.Event{ev})
	}
	if hit.Input, err = r.Input(ev); err != nil {
		return hit, end{step: With}, err
	}
	return hit, end{}, nil
}

// Input makes the JSON of `with` for an event, or for a group; nil without one.
func (r *Route) Input(ev *event.Event) ([]byte, error) {
	if r.with == nil {
		return nil, nil
	}
	input, err := r.with.Render(ev)
	return input, wrap("with", err)
}

func wrap(field string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", field, err)
}
