// Package rehearse runs routing against events without running anything: what
// each route makes of an event and why, and which parts of the routes a set of
// events has tried. It is pure: it counts, stores and starts nothing.
package rehearse

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/route"
)

// Verdict is what a route makes of an event, and why.
type Verdict struct {
	Route    string `json:"route"`
	Engine   string `json:"engine"`
	Workflow string `json:"workflow"`
	Matched  bool   `json:"matched"`
	// Input and Key of a route that matches.
	Input json.RawMessage `json:"input,omitempty"`
	Key   string          `json:"key,omitempty"`
	// Failed is why a route does not match.
	Failed *Failure `json:"failed,omitempty"`
}

// Failure is the first condition of a route that an event does not meet.
type Failure struct {
	// Step is events, match, when, key or with.
	Step string `json:"step"`
	// Path is that of a line of match; Part is the part of a when that says no.
	Path string `json:"path,omitempty"`
	Part string `json:"part,omitempty"`
	// Want are the types or values that would do.
	Want []any `json:"want,omitempty"`
	// Saw is what the condition looked at, as the event has it.
	Saw []Seen `json:"saw,omitempty"`
	// Error is why the condition could not tell, which is taken for no.
	Error string `json:"error,omitempty"`
}

// Seen is a place in an event, and the value or why there is none.
type Seen struct {
	Place string          `json:"place"`
	Value json.RawMessage `json:"value,omitempty"`
	Error string          `json:"error,omitempty"`
}

// Explain asks all routes of a table about an event.
func Explain(t *route.Table, ev *event.Event) []Verdict {
	verdicts := make([]Verdict, len(t.Routes()))
	for i, r := range t.Routes() {
		verdicts[i] = Of(r.Explain(ev), ev)
	}
	return verdicts
}

// Of tells a verdict on an event in full.
func Of(v route.Verdict, ev *event.Event) Verdict {
	out := Verdict{Route: v.Route.Name, Engine: v.Route.Engine, Workflow: v.Route.Workflow, Matched: v.Step == route.Matched}
	if out.Matched {
		out.Input, out.Key = v.Hit.Input, v.Hit.Key
		return out
	}
	out.Failed = failure(v, ev)
	return out
}

func failure(v route.Verdict, ev *event.Event) *Failure {
	f := &Failure{Step: v.Step.String()}
	if v.Err != nil {
		f.Error = strings.TrimPrefix(v.Err.Error(), f.Step+": ")
	}
	switch v.Step {
	case route.Events:
		f.Saw = []Seen{{Place: "type", Value: asJSON(ev.Type)}}
		for _, pattern := range v.Route.Events() {
			f.Want = append(f.Want, pattern)
		}
	case route.Match:
		line := v.Route.Lines()[v.Line()]
		f.Path, f.Want = line.Path, line.Accept
		f.Error = strings.TrimPrefix(f.Error, "match."+line.Path+": ")
		if value, err := v.Route.Saw(v.Line(), ev); err == nil {
			f.Saw = []Seen{{Place: line.Path, Value: asJSON(value)}}
		}
	case route.When:
		found := v.Route.Why(ev)
		f.Part = found.Part
		for _, s := range found.Saw {
			f.Saw = append(f.Saw, Seen{Place: s.Place, Value: s.JSON, Error: text(s.Err)})
		}
	}
	return f
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// asJSON is a value of an event, which came from JSON or is a text.
func asJSON(v any) json.RawMessage {
	out, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null")
	}
	return out
}

// Where is the condition as a case of a test names it: events, a path of match,
// when, key or with.
func (f *Failure) Where() string {
	if f.Path != "" {
		return f.Path
	}
	return f.Step
}

// String tells in a line why a route does not match.
func (f *Failure) String() string {
	switch {
	case f.Step == "events":
		return fmt.Sprintf("the type %s is not %s", f.Saw[0].Value, alternatives(f.Want))
	case f.Step == "match" && f.Error == "":
		return fmt.Sprintf("%s is %s, not %s", f.Path, brief(f.Saw[0].Value), alternatives(f.Want))
	case f.Step == "match":
		return fmt.Sprintf("%s cannot be told: %s", f.Path, f.Error)
	case f.Step == "when" && f.Error != "":
		return fmt.Sprintf("when cannot tell: %s: %s%s", f.Part, f.Error, f.seen())
	case f.Step == "when":
		return fmt.Sprintf("when does not hold: %s%s", f.Part, f.seen())
	}
	return fmt.Sprintf("%s cannot be made: %s", f.Step, f.Error)
}

func (f *Failure) seen() string {
	var parts []string
	for _, s := range f.Saw {
		switch {
		case s.Error == "":
			parts = append(parts, fmt.Sprintf("%s is %s", s.Place, brief(s.Value)))
		case s.Error != f.Error:
			parts = append(parts, fmt.Sprintf("%s: %s", s.Place, s.Error))
		}
	}
	if parts == nil {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func alternatives(values []any) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = brief(asJSON(v))
	}
	if n := len(texts); n > 1 {
		return strings.Join(texts[:n-1], ", ") + " or " + texts[n-1]
	}
	return strings.Join(texts, "")
}

// longest is how much of a value a line of text shows, in characters.
const longest = 120

func brief(value json.RawMessage) string {
	if line := []rune(string(value)); len(line) > longest {
		return string(line[:longest-1]) + "…"
	}
	return string(value)
}
