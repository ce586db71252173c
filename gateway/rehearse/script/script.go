// Package script reads what a gateway is tested with: files of cases beside its
// configuration. Each case is something that comes in, and what should become of
// it. The files are read as strictly as the configuration, by the same decoder,
// and every problem in them has its place.
package script

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/config/document"
)

// File is one file of cases.
type File struct {
	// Env is all that the configuration sees of an environment.
	Env map[string]string `yaml:"env" keys:"env" aka:"environment"`
	// Secrets take the place of those of a webhook, by its name.
	Secrets map[string][]string `yaml:"secrets"`
	// At is when all cases happen that do not say when they do.
	At    time.Time       `yaml:"at" aka:"now,time"`
	Cases map[string]Case `yaml:"cases" keys:"any" required:"true" aka:"tests,case"`
}

// Case is something that comes in, and what should become of it. One of
// Event, Request and Schedule is set.
type Case struct {
	At       time.Time `yaml:"at" aka:"now,time"`
	Event    *Event    `yaml:"event"`
	Request  *Request  `yaml:"request" aka:"http,webhook"`
	Schedule *Schedule `yaml:"schedule"`
	Expect   *Expect   `yaml:"expect" required:"true" aka:"want,expected,then"`
}

// Event is an event that comes in as it is.
type Event struct {
	// File has the event as JSON, as `gateway events show -o json` prints it. It
	// goes alone.
	File        string            `yaml:"file"`
	Type        string            `yaml:"type" aka:"event_type"`
	Source      string            `yaml:"source" default:"/api"`
	ID          string            `yaml:"id"`
	Subject     string            `yaml:"subject"`
	Time        time.Time         `yaml:"time"`
	Headers     map[string]string `yaml:"headers" keys:"any"`
	Query       map[string]string `yaml:"query" keys:"any"`
	Extensions  map[string]string `yaml:"extensions" keys:"any"`
	ContentType string            `yaml:"content_type" aka:"datacontenttype"`
	// Data is the body as JSON; Body is any other.
	Data json.RawMessage `yaml:"data" aka:"payload"`
	Body string          `yaml:"body"`

	_ struct{} `scalar:"file"`
}

// Request is a request to a webhook: one that was recorded, or one to be made
// and signed.
type Request struct {
	// File is a recorded request: its first line, headers, an empty line, body.
	File string `yaml:"file"`
	// Webhook gives the path and how it is signed.
	Webhook string            `yaml:"webhook"`
	Path    string            `yaml:"path" aka:"url"`
	Method  string            `yaml:"method"`
	Headers map[string]string `yaml:"headers" keys:"any" aka:"header"`
	// Body is a text as it is, or becomes JSON.
	Body any `yaml:"body" aka:"data,payload"`
	// Event and ID go into the headers where the scheme has some for them.
	Event string `yaml:"event"`
	ID    string `yaml:"id"`
	// Sign the request anew. It is so for a webhook's, not for a recorded one.
	Sign Switch `yaml:"sign"`
	// From is the sender's address; 127.0.0.1 if it does not matter.
	From Address `yaml:"from" aka:"address,ip,remote"`

	_ struct{} `scalar:"file"`
}

// Schedule is a stretch of time in the life of a declared schedule.
type Schedule struct {
	Name  string    `yaml:"name" required:"true"`
	From  time.Time `yaml:"from" required:"true" aka:"start,since"`
	Until time.Time `yaml:"until" required:"true" aka:"end,to"`
}

// Expect is what should become of a case. What is not said is not looked at,
// but for routes: those not said must not match.
type Expect struct {
	// Status, Reason and Answer are those of the answer to a request: Reason is
	// why it was refused, as the metrics count it; Answer a part of its body.
	Status int    `yaml:"status" aka:"code"`
	Reason string `yaml:"reason"`
	Answer string `yaml:"answer" aka:"response"`
	// Events is how many come of it.
	Events  int    `yaml:"events" default:"-1"`
	Type    string `yaml:"type"`
	ID      string `yaml:"id"`
	Source  string `yaml:"source"`
	Subject string `yaml:"subject"`
	Data    any    `yaml:"data"`
	// Firings of the schedule.
	Firings []time.Time `yaml:"firings" aka:"times,slots"`
	// Routes that every event takes, and how.
	Routes map[string]Taken `yaml:"routes" aka:"route,matched"`
	// Not are routes that no event takes, with the step that keeps it from them:
	// events, a path of match, when, key, with. Nothing: any.
	Not map[string]any `yaml:"not" aka:"not_routes,unmatched"`
	// Exact: no other routes may match.
	Exact bool `yaml:"exact" default:"true"`
}

// Taken is how an event takes a route.
type Taken struct {
	// Input is the whole of it, Includes a part.
	Input    any    `yaml:"input" aka:"with"`
	Includes any    `yaml:"includes" aka:"contains"`
	Key      string `yaml:"key"`
	// Run is engine/workflow.
	Run string `yaml:"run" aka:"workflow"`
}

// Switch is on, off, or as it is usual where it stands.
type Switch int8

// Positions of a Switch.
const (
	Usual Switch = iota
	Off
	On
)

// UnmarshalText reads true or false.
func (s *Switch) UnmarshalText(text []byte) error {
	switch string(text) {
	case "true":
		*s = On
	case "false":
		*s = Off
	default:
		return errors.New("want true or false")
	}
	return nil
}

// Address is where a request comes from.
type Address struct{ netip.Addr }

// UnmarshalText reads an IP address.
func (a *Address) UnmarshalText(text []byte) error {
	if a.Addr.UnmarshalText(text) != nil || !a.IsValid() {
		return errors.New("want an address like 203.0.113.7")
	}
	return nil
}

// Problems of a file of cases.
type (
	Problem  = document.Problem
	Problems = document.Problems
)

// Cast is a case with what is around it, ready to be played.
type Cast struct {
	Name string
	// In is the file, and At when the case happens.
	In   *Script
	At   time.Time
	Case Case
	// Given is the event of Case.Event; Recorded the request of its file.
	Given    *Event
	Recorded *Recorded
}

// Problem is something about a case, at a path below it such as expect.status.
func (c *Cast) Problem(below, message string) Problem {
	p := c.In.file.Problem(strings.TrimSuffix("cases."+c.Name+"."+below, "."), message, "")
	p.Path = below
	return p
}

// Has tells whether the case says something at a path below it.
func (c *Cast) Has(below string) bool { return c.In.file.Has("cases." + c.Name + "." + below) }

// Line is where the case stands in its file.
func (c *Cast) Line() int { return c.In.file.Problem("cases."+c.Name, "", "").Line }

// Begins is when the cases of the file happen that do not say when.
func (s *Script) Begins() time.Time {
	if s.At.IsZero() {
		return moment()
	}
	return s.At
}

// Problem is something about the file as a whole.
func (s *Script) Problem(message string) Problem {
	return Problem{File: s.Path, Message: message, Severity: document.Error}
}
