package config

import (
	"fmt"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Document is a configuration together with the text it came from, so that
// whoever finds a problem later can still say where.
type Document struct {
	// Path is the file's name as it was given.
	Path string
	// Config is what the file says. It is complete only when loading it
	// reported no error.
	Config *Config
	// Revision is the SHA-256 of the file's text in hex: of references, not of
	// what they resolve to.
	Revision string
	// Fingerprint changes whenever the file or a file it refers to does.
	Fingerprint string
	// Files are the absolute paths of all files that were read or looked for,
	// the configuration first.
	Files []string

	root   *yaml.Node
	source *source
	index  map[*yaml.Node]table
	walked Problems // what decoding reported, for checks that would repeat it
}

// Problem reports an error at a path such as routes.deploy-main.when or
// webhooks.github.secrets[1]. A path that is not in the file is reported at
// its nearest ancestor.
func (d *Document) Problem(path, message, hint string) Problem {
	found := d.find(path)
	return d.source.problem(d.spot(found), path, message, hint)
}

// ProblemIn reports an error at a line and column, both counted in characters
// from 1, within the text of the scalar at path: where CEL found its error.
// Folded and many-line scalars are pointed at as a whole.
func (d *Document) ProblemIn(path string, line, col int, message, hint string) Problem {
	found := d.find(path)
	n := resolve(found.value)
	if !found.exact || n == nil || n.Kind != yaml.ScalarNode || substituted(n.Value) {
		return d.source.problem(d.spot(found), path, message, hint)
	}
	at, exact := d.source.inside(n, line, col)
	if !exact && strings.Contains(n.Value, "\n") || !exact && line > 1 {
		message = fmt.Sprintf("%s, at line %d column %d of the text", message, line, col)
	}
	return d.source.problem(at, path, message, hint)
}

// substituted reports whether a text differs from what stages after this
// package see of it, so that their columns are not ours.
func substituted(text string) bool {
	for i := strings.Index(text, "${"); i >= 0; {
		if !strings.HasPrefix(text[i:], "${{") || i > 0 && text[i-1] == '$' {
			return true
		}
		next := strings.Index(text[i+3:], "${")
		if next < 0 {
			return false
		}
		i += 3 + next
	}
	return false
}

// has reports whether the file itself contains path.
func (d *Document) has(path string) bool { return d.find(path).exact }

// line returns where path stands, for messages such as "defined at line 13".
func (d *Document) line(path string) int { return d.spot(d.find(path)).line }

// spot is where to point for an entry: at a scalar itself, else at its key.
func (d *Document) spot(e entry) span {
	switch {
	case e.value != nil && e.value.Kind == yaml.ScalarNode && e.value.Value != "":
		return d.source.span(e.value)
	case e.key != nil:
		return d.source.span(e.key)
	case e.value != nil && e.value.Line > 0:
		return d.source.span(e.value)
	}
	return span{line: 1, col: 1}
}

// section lists the keys of a top-level map in the order of the file.
func (d *Document) section(name string) (names []string) {
	found := d.find(name)
	if !found.exact {
		return nil
	}
	for _, e := range d.entries(resolve(found.value)) {
		names = append(names, e.key.Value)
	}
	return names
}

// entry is a key and its value; key is nil for items of lists and the root.
type entry struct {
	key, value *yaml.Node
	exact      bool // the path led here, not only to an ancestor
}

// find follows a path as far as the file goes. Keys may contain dots, so at
// each map the longest key that fits is taken.
func (d *Document) find(path string) entry {
	at := entry{value: d.root, exact: true}
	for path != "" {
		next, rest := d.step(resolve(at.value), path)
		if next.value == nil {
			at.exact = false
			return at
		}
		at, path = next, rest
	}
	return at
}

func (d *Document) step(n *yaml.Node, path string) (found entry, rest string) {
	if n == nil {
		return found, ""
	}
	if n.Kind == yaml.SequenceNode {
		return item(n, path)
	}
	path = strings.TrimPrefix(path, ".")
	for end := len(path); end > 0; end = strings.LastIndexAny(path[:end], ".[") {
		if found, ok := d.index[n].byKey[path[:end]]; ok {
			found.exact = true
			return found, path[end:]
		}
	}
	return found, ""
}

func item(n *yaml.Node, path string) (entry, string) {
	index, rest, ok := strings.Cut(strings.TrimPrefix(path, "["), "]")
	i, err := strconv.Atoi(index)
	if !ok || err != nil || i < 0 || i >= len(n.Content) {
		return entry{}, ""
	}
	return entry{value: n.Content[i], exact: true}, rest
}

// resolve follows an alias to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// table is a map of the file with what is merged into it.
type table struct {
	list  []entry // own entries first, in order; keys may repeat
	byKey map[string]entry
}

// entries lists what a map contains: its own entries, duplicates included,
// then those merged into it with << that it does not override.
func (d *Document) entries(n *yaml.Node) []entry { return d.index[n].list }

// indexMaps prepares every map below n once: finding paths has to be quick
// for files of thousands of routes.
func (d *Document) indexMaps(n *yaml.Node) {
	if n.Kind == yaml.MappingNode {
		t := table{list: merged(n, 0), byKey: map[string]entry{}}
		for _, e := range t.list {
			if _, ok := t.byKey[e.key.Value]; !ok {
				t.byKey[e.key.Value] = e
			}
		}
		d.index[n] = t
	}
	for _, child := range n.Content {
		d.indexMaps(child)
	}
}

// maxMerge bounds how many maps may merge one another in a row.
const maxMerge = 8

func merged(n *yaml.Node, depth int) (all []entry) {
	n = resolve(n)
	switch {
	case n == nil || depth > maxMerge:
		return nil
	case n.Kind == yaml.SequenceNode && depth > 0:
		for _, one := range n.Content {
			all = append(all, merged(one, depth+1)...)
		}
		return all
	case n.Kind != yaml.MappingNode:
		return nil
	}
	var more []entry
	own := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if isMerge(n.Content[i]) {
			more = append(more, merged(n.Content[i+1], depth+1)...)
			continue
		}
		own[n.Content[i].Value] = true
		all = append(all, entry{key: n.Content[i], value: n.Content[i+1]})
	}
	for _, e := range more {
		if !own[e.key.Value] {
			own[e.key.Value] = true
			all = append(all, e)
		}
	}
	return all
}

func isMerge(key *yaml.Node) bool {
	return key.Tag == "!!merge" || key.Value == "<<" && key.Style == 0
}
