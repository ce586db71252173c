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
}

// addition is what an entry can hold.
type addition struct {
	Routes    map[string]Route    `yaml:"routes"`
	Schedules map[string]Schedule `yaml:"schedules"`
}

// Made tells whether a route or schedule that is in force, such as
// routes.deploy-main, was made while the gateway ran.
func (d *Document) Made(name string) bool { return d.file.Joined(name) }

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
	doc, problems := parse(d.Path, d.text, d.set, opts)
	doc.again = d.again
	return doc, problems
}

// overlay lays the entries over the file. One that is not sound keeps nothing
// else from being in force: it is set aside, which is a warning.
func (d *Document) overlay(c *checker, refs decode.References) (warnings Problems) {
	for _, e := range d.Overlay {
		problems := d.opts.aside[e.Name]
		if len(problems) == 0 {
			problems = d.add(e, c, refs)
		}
		for _, p := range problems {
			p.Severity = Warning
			if problems.Failed() {
				p.Message = "set aside: " + p.Message
			}
			warnings = append(warnings, p)
		}
		if problems.Failed() {
			d.Aside = append(d.Aside, Aside{Entry: e, Problems: problems})
		}
	}
	return warnings
}

// add lays one entry over the file, or nothing of it.
func (d *Document) add(e Entry, c *checker, refs decode.References) Problems {
	part, problems := document.Parse("overlay/"+e.Name, e.Text)
	if len(problems) > 0 {
		return problems
	}
	var made addition
	if problems = decode.Into(&made, part, refs); problems.Failed() {
		return problems
	}
	if d.file.Has(e.Name) {
		return Problems{part.Problem(e.Name, fmt.Sprintf("the file has an entry of this name, at line %d, and counts", d.file.Line(e.Name)), "")}
	}
	one := &checker{doc: d, dir: c.dir, opts: c.opts, files: c.files, decoded: problems}
	section, name, _ := strings.Cut(e.Name, ".")
	route, isRoute := made.Routes[name]
	schedule, isSchedule := made.Schedules[name]
	d.file.Join(e.Name, part)
	switch {
	case section == "routes" && isRoute && len(made.Routes)+len(made.Schedules) == 1:
		lay(&d.Config.Routes, name, route, one, one.route)
	case section == "schedules" && isSchedule && len(made.Routes)+len(made.Schedules) == 1:
		lay(&d.Config.Schedules, name, schedule, one, one.schedule)
	default:
		one.report(e.Name, "is not "+e.Name+" and nothing else", "")
	}
	if problems = append(problems, one.problems...); problems.Failed() {
		d.file.Leave(e.Name)
	}
	return problems
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
