package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/config/decode"
	"github.com/event-gateway/gateway/gateway/config/document"
)

// Entry is one route or schedule that was made while the gateway ran: a
// document of its own that is laid over the file and read by the same rules.
type Entry struct {
	// Name is section and name: routes.deploy-main.
	Name string
	// Text is YAML: a configuration with nothing in it but this.
	Text []byte
	// At is when it was made.
	At time.Time
}

// Aside is an entry that is not in force, and why.
type Aside struct {
	Entry
	Problems Problems
	// Holds is as much of it as could be read.
	Holds Addition
}

// Addition is what an entry can hold.
type Addition struct {
	Routes    map[string]Route    `yaml:"routes"`
	Schedules map[string]Schedule `yaml:"schedules"`
}

// Made tells whether a route or schedule that is in force, such as
// routes.deploy-main, was made while the gateway ran.
func (d *Document) Made(name string) bool { return d.made[name] }

// Written is what the file itself has at a path, as JSON would have it:
// references as they are written, and literal secrets redacted.
func (d *Document) Written(path string) any { return Redact(d.file.Plain(path)) }

// Redact hides what stands under keys that speak of a secret.
func Redact(v any) any { return document.Redact(v) }

// Overlaid is the same file, as it was read, with other entries laid over it.
func (d *Document) Overlaid(entries []Entry) (*Document, Problems) {
	return d.anew(func(o *Options) { o.Overlay, o.aside = entries, nil })
}

// SetAside is the same document without the entries that a later stage found
// something wrong with. It is nil when the problems are of the file alone.
func (d *Document) SetAside(problems Problems) (*Document, Problems) {
	aside := map[string]Problems{}
	for name, before := range d.opts.aside {
		aside[name] = before
	}
	before := len(aside)
	for _, p := range problems {
		if name := document.EntryOf(p.Path); d.Made(name) && p.Severity == Error {
			aside[name] = append(aside[name], p)
		}
	}
	if len(aside) == before {
		return nil, nil
	}
	return d.anew(func(o *Options) { o.aside = aside })
}

// anew reads the same content in the same circumstances.
func (d *Document) anew(change func(*Options)) (*Document, Problems) {
	opts := d.opts
	change(&opts)
	doc, problems := parse(d.Path, d.set.Again(d.Own), opts)
	doc.again = d.again
	return doc, problems
}

// overlay lays the entries over the file. One that is not sound keeps nothing
// else from being in force: it is set aside, which is a warning.
func (d *Document) overlay(c *checker, refs decode.References) (warnings Problems) {
	for _, e := range d.Overlay {
		var holds Addition
		part, problems := document.Parse("overlay/"+e.Name, e.Text)
		if len(problems) == 0 {
			problems = decode.Into(&holds, part, refs)
		}
		if problems = append(problems, d.opts.aside[e.Name]...); !problems.Failed() {
			one := &checker{doc: d, dir: c.dir, opts: c.opts, files: c.files, decoded: problems}
			problems = append(problems, d.add(e, part, holds, one)...)
		}
		for _, p := range problems {
			p.Severity = Warning
			if problems.Failed() {
				p.Message = "set aside: " + p.Message
			}
			warnings = append(warnings, p)
		}
		if problems.Failed() {
			d.Aside = append(d.Aside, Aside{Entry: e, Problems: problems, Holds: holds})
		}
	}
	return warnings
}

// add lays one entry over the file, or nothing of it.
func (d *Document) add(e Entry, part *document.File, holds Addition, c *checker) Problems {
	if d.file.Has(e.Name) {
		return Problems{part.Problem(e.Name, fmt.Sprintf("the file has an entry of this name, at %s, and counts", d.file.Place(e.Name, d.Path)), "")}
	}
	section, name, _ := strings.Cut(e.Name, ".")
	route, isRoute := holds.Routes[name]
	schedule, isSchedule := holds.Schedules[name]
	alone := len(holds.Routes)+len(holds.Schedules) == 1
	d.file.Join(e.Name, part)
	d.made[e.Name] = true
	switch {
	case alone && isRoute && section == "routes":
		lay(&d.Config.Routes, name, route, c, c.route)
	case alone && isSchedule && section == "schedules":
		lay(&d.Config.Schedules, name, schedule, c, c.schedule)
	default:
		c.report(e.Name, "is not "+e.Name+" and nothing else", "")
	}
	if c.problems.Failed() {
		d.file.Leave(e.Name)
		delete(d.made, e.Name)
	}
	return c.problems
}

// lay puts an entry into its section, unless the checks find something wrong.
func lay[V any](section *map[string]V, name string, v V, c *checker, check func(name string)) {
	if *section == nil {
		*section = map[string]V{}
	}
	(*section)[name] = v
	if check(name); c.problems.Failed() {
		delete(*section, name)
	}
}
