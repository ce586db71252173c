package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/event-gateway/gateway/gateway/config/decode"
	"github.com/event-gateway/gateway/gateway/config/document"
	"github.com/event-gateway/gateway/gateway/config/files"
)

// What the files may be that one file includes: all of it is read again with
// every change.
const (
	maxIncluded      = 500
	maxIncludedBytes = 16 << 20
)

// sections are what an included file adds. It may say that it is of version 1.
type sections struct {
	Version   int                 `yaml:"version"`
	Engines   map[string]Engine   `yaml:"engines" aka:"plugins"`
	Webhooks  map[string]Webhook  `yaml:"webhooks" aka:"sources,hooks"`
	Schedules map[string]Schedule `yaml:"schedules" aka:"crons,timers"`
	Routes    map[string]Route    `yaml:"routes" aka:"rules,triggers,workflows"`

	_ struct{} `apart:"server,store,defaults,include"`
}

// included is a file that another one includes.
type included struct {
	name string // from the folder of the file that includes it
	file *document.File
	text []byte
}

// include adds what the file includes, as if it stood in the file. All
// references and paths start from the folder of the file, so that entries mean
// the same wherever they are written.
func (d *Document) include(c *checker, refs decode.References) (problems Problems) {
	bytes, full := 0, false
	for i, pattern := range d.Config.Include {
		at := fmt.Sprintf("include[%d]", i)
		for _, path := range c.matching(at, pattern) {
			if slices.Contains(d.Own, path) || full {
				continue // by another pattern already, or the file itself
			}
			d.Own = append(d.Own, path)
			text, err := c.files.Read(path)
			bytes += len(text)
			if full = len(d.included) == maxIncluded || bytes > maxIncludedBytes; full {
				d.partial = true
				c.report(at, fmt.Sprintf("there are too many files: at most %d, of %d MiB in all", maxIncluded, maxIncludedBytes>>20), "")
			} else if err != nil {
				d.partial = true
				c.report(at, fmt.Sprintf("%q: %s", d.relative(path), files.Reason(err)), "")
			} else {
				problems = append(problems, d.merge(path, text, refs)...)
			}
		}
	}
	return problems
}

// matching lists the files that an item of include means.
func (c *checker) matching(at, pattern string) []string {
	path := c.absolute(pattern)
	switch {
	case pattern == "":
		if !c.reported(at) {
			c.report(at, "is empty", "")
		}
		return nil
	case filepath.Clean(path) == c.doc.Own[0]:
		c.report(at, "is this file itself", "")
		return nil
	case strings.ContainsAny(filepath.Dir(pattern), "*?["):
		c.report(at, "has a star in the name of a folder", "stars may be in the name of the file: routes.d/*.yaml")
		return nil
	case !files.IsPattern(path):
		return []string{filepath.Clean(path)}
	}
	found, watch, err := c.files.List(path)
	c.doc.Own = append(c.doc.Own, watch)
	if err != nil {
		c.report(at, files.Reason(err), "")
	} else if !slices.ContainsFunc(found, func(p string) bool { return p != c.doc.Own[0] }) {
		c.warn(at, "no file matches", "")
	}
	return found
}

// merge adds what one file has.
func (d *Document) merge(path string, text []byte, refs decode.References) Problems {
	in := &included{name: d.relative(path), text: text}
	d.included = append(d.included, in)
	shown := in.name
	if !filepath.IsAbs(shown) {
		shown = filepath.Join(filepath.Dir(d.Path), shown)
	}
	var problems Problems
	if in.file, problems = document.Parse(shown, text); in.file.Root() == nil {
		d.partial = true
		for i := range problems {
			problems[i].Hint = strings.Replace(problems[i].Hint, `the smallest configuration is "version: 1"`, "remove it, or what includes it", 1)
		}
		return problems
	}
	if problems = version(in.file); len(problems) > 0 {
		return problems
	}
	var holds sections
	problems = decode.Into(&holds, in.file, refs)
	for _, more := range []Problems{
		merge(d, in.file, "engines", &d.Config.Engines, holds.Engines),
		merge(d, in.file, "webhooks", &d.Config.Webhooks, holds.Webhooks),
		merge(d, in.file, "schedules", &d.Config.Schedules, holds.Schedules),
		merge(d, in.file, "routes", &d.Config.Routes, holds.Routes),
	} {
		problems = append(problems, more...)
	}
	return problems
}

// merge adds the entries of one section; the first of a name counts.
func merge[V any](d *Document, file *document.File, section string, into *map[string]V, more map[string]V) (problems Problems) {
	if *into == nil {
		*into = map[string]V{}
	}
	for _, name := range file.Keys(section) {
		v, ok := more[name]
		delete(more, name) // a key that comes twice in one file has been reported
		entry := section + "." + name
		switch {
		case !ok:
		case d.file.Has(entry):
			problems = append(problems, file.Problem(entry, "is defined twice, first at "+d.file.Place(entry, file.Name("")), ""))
		default:
			d.file.Join(entry, file)
			(*into)[name] = v
		}
	}
	return problems
}

// relative is a path as it is seen from the folder of the file.
func (d *Document) relative(path string) string {
	short, err := filepath.Rel(filepath.Dir(d.Own[0]), path)
	if err != nil || strings.HasPrefix(short, "..") {
		return path
	}
	return short
}

// NameOf is the name of the file that an entry stands in, such as engines.exec.
func (d *Document) NameOf(entry string) string { return d.file.Name(entry) }
