package script

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/config/decode"
	"github.com/event-gateway/gateway/gateway/config/document"
	"github.com/event-gateway/gateway/gateway/config/files"
)

// Script is a file of cases that has been read.
type Script struct {
	Path string
	File
	// Casts are its cases in the order of the file.
	Casts []*Cast

	file *document.File
	set  *files.Set
	dir  string
}

// moment is when cases happen that do not say when: always the same, so that
// what passes today passes tomorrow.
func moment() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// Find lists the files of cases in a folder and below it: all YAML there but
// hidden files.
func Find(folder string) (paths []string, err error) {
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path != folder && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return filepath.SkipDir
			}
		case !d.IsDir() && (strings.HasSuffix(path, ".yaml") || strings.HasSuffix(path, ".yml")):
			paths = append(paths, path)
		}
		return nil
	})
	return paths, err
}

// Load reads a file of cases, with the files that they name. Of a file with
// problems nothing is to be played. The set remembers what was read.
func Load(path string, set *files.Set) (*Script, Problems) {
	full, err := filepath.Abs(path)
	if err != nil {
		full = path
	}
	s := &Script{Path: path, set: set, dir: filepath.Dir(full)}
	text, err := set.Read(full)
	if err != nil {
		return s, Problems{{File: path, Message: files.Reason(err), Severity: document.Error}}
	}
	var problems Problems
	if s.file, problems = document.Parse(path, text); len(problems) > 0 {
		if len(bytes.TrimSpace(text)) == 0 {
			problems[0].Hint = "cases: is missing" // not what a configuration lacks
		}
		return s, problems
	}
	// Cases see nothing of the machine that they run on.
	nothing := func(string) (string, bool) { return "", false }
	problems = decode.Into(&s.File, s.file, decode.References{Dir: s.dir, Files: set, Env: nothing})
	if !problems.Failed() {
		for _, name := range s.file.Keys("cases") {
			cast, more := s.cast(name)
			problems = append(problems, more...)
			s.Casts = append(s.Casts, cast)
		}
	}
	problems.Sort()
	return s, problems
}

// cast makes a case ready.
func (s *Script) cast(name string) (*Cast, Problems) {
	c := &caster{Cast: &Cast{Name: name, In: s, At: s.Begins(), Case: s.Cases[name]}, path: "cases." + name}
	if !c.Case.At.IsZero() {
		c.At = c.Case.At
	}
	c.kind()
	if c.Case.Event != nil {
		c.event(c.Case.Event)
	}
	if c.Case.Request != nil {
		c.request(c.Case.Request)
	}
	if sc := c.Case.Schedule; sc != nil && !sc.Until.After(sc.From) {
		c.report("schedule.until", "is not after from")
	}
	c.expect()
	return c.Cast, c.problems
}

type caster struct {
	*Cast
	path     string
	problems Problems
}

func (c *caster) report(below, message string) {
	path := strings.TrimSuffix(c.path+"."+below, ".")
	c.problems = append(c.problems, c.In.file.Problem(path, message, ""))
}

func (c *caster) kind() {
	given := 0
	for _, is := range []bool{c.Case.Event != nil, c.Case.Request != nil, c.Case.Schedule != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		c.report("", "needs one of event, request and schedule")
	}
}

func (c *caster) event(e *Event) {
	switch {
	case e.File == "" && e.Type == "":
		c.report("event", "type is missing")
	case e.File == "":
		if e.Data != nil && e.Body != "" {
			c.report("event.body", "data is given too: choose one")
		}
		c.Given = e
	default:
		c.alone("event", "file")
		given, err := c.In.readEvent(e.File)
		if err != nil {
			c.report("event.file", err.Error())
			return
		}
		c.Given = given
	}
}

// alone complains about anything beside a key.
func (c *caster) alone(path, key string) {
	for _, other := range c.In.file.Keys(c.path + "." + path) {
		if other != key {
			c.report(path+"."+other, "goes without "+key)
		}
	}
}

func (s *Script) readEvent(name string) (*Event, error) {
	text, err := s.set.Read(s.beside(name))
	if err != nil {
		return nil, fmt.Errorf("file %q: %s", name, files.Reason(err))
	}
	e, err := ParseEvent(text)
	if err != nil {
		return nil, fmt.Errorf("file %q: %w", name, err)
	}
	return e, nil
}

func (s *Script) beside(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.dir, name)
}

func (c *caster) request(r *Request) {
	switch {
	case r.File != "" && c.Has("request.body"):
		c.report("request.body", "file is given too: choose one")
	case r.File == "" && r.Webhook == "" && r.Path == "":
		c.report("request", "needs file, webhook or path")
	case r.Sign == On && r.Webhook == "" && r.File == "":
		c.report("request.sign", "needs webhook, which says how")
	case r.File != "":
		c.recorded(r.File)
	}
}

func (c *caster) recorded(name string) {
	text, err := c.In.set.Read(c.In.beside(name))
	if err != nil {
		c.report("request.file", fmt.Sprintf("file %q: %s", name, files.Reason(err)))
		return
	}
	if c.Recorded, err = ParseRequest(text); err != nil {
		c.report("request.file", fmt.Sprintf("file %q: %s", name, err))
	}
}

func (c *caster) expect() {
	e := c.Case.Expect
	for name, why := range e.Not {
		if _, isText := why.(string); !isText && why != nil {
			c.report("expect.not."+name, "want the step that keeps it out: events, a path of match, when, key or with")
		}
		if _, both := e.Routes[name]; both {
			c.report("expect.not."+name, "is among routes too")
		}
	}
	for _, answer := range []string{"status", "reason", "answer"} {
		if c.Has("expect."+answer) && c.Case.Request == nil {
			c.report("expect."+answer, "goes with request")
		}
	}
	if c.Has("expect.firings") && c.Case.Schedule == nil {
		c.report("expect.firings", "goes with schedule")
	}
	if c.Has("expect.events") && e.Events < 0 {
		c.report("expect.events", "must be at least 0")
	}
}

// shown is an event as the API shows it, with the keys that cases have.
type shown struct {
	ID           string            `json:"id"`
	Source       string            `json:"source"`
	Type         string            `json:"type"`
	Subject      string            `json:"subject"`
	Time         time.Time         `json:"time"`
	ContentType  string            `json:"datacontenttype"`
	ContentType2 string            `json:"content_type"`
	Extensions   map[string]string `json:"extensions"`
	Headers      map[string]string `json:"headers"`
	Query        map[string]string `json:"query"`
	Data         json.RawMessage   `json:"data"`
	DataBase64   []byte            `json:"data_base64"`
	Body         string            `json:"body"`
	// What became of it, which does not matter here.
	Cursor, Revision, Routed, Conflict, Deliveries any
}

// ParseEvent reads an event as JSON: as a case has it, or as the API shows it.
func ParseEvent(text []byte) (*Event, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var in shown
	if err := d.Decode(&in); err != nil {
		return nil, fmt.Errorf("not an event as JSON: %s", plain(err))
	}
	if in.Type == "" {
		return nil, fmt.Errorf("the event has no type")
	}
	out := &Event{
		Type: in.Type, Source: in.Source, ID: in.ID, Subject: in.Subject, Time: in.Time, ContentType: in.ContentType + in.ContentType2,
		Headers: in.Headers, Query: in.Query, Extensions: in.Extensions, Data: in.Data, Body: in.Body + string(in.DataBase64),
	}
	if out.Source == "" {
		out.Source = "/api"
	}
	return out, nil
}

// plain is an error of the decoder without Go's names.
func plain(err error) string {
	text := strings.TrimPrefix(err.Error(), "json: ")
	if i := strings.Index(text, " into Go "); i >= 0 {
		text = text[:i] + " where it cannot be"
	}
	return text
}

// Bytes are the body of the event.
func (e *Event) Bytes() []byte {
	if e.Data != nil {
		return e.Data
	}
	return []byte(e.Body)
}
