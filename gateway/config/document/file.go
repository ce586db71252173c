package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// File is a YAML document and the text it came from. It does not change, but
// others may be joined to it.
type File struct {
	root   *yaml.Node // nil when the text could not be parsed
	source *source
	index  map[*yaml.Node]table
	text   string
	// parts answer for entries; joined are these by their sections, in order.
	parts  map[string]*File
	joined map[string][]string
}

// Parse reads one YAML document. The file is never nil: when there are
// problems it has no content, but problems can still be reported in it.
func Parse(name string, text []byte) (*File, Problems) {
	whole := string(text)
	text = bytes.TrimPrefix(text, []byte(mark))
	f := &File{source: newSource(name, string(text)), index: map[*yaml.Node]table{}, text: whole}
	if !utf8.Valid(text) {
		line := 1 + bytes.Count(text[:invalidAt(text)], []byte("\n"))
		return f, f.problems(span{line: line, col: 1}, "is not UTF-8 text", "")
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var file, extra yaml.Node
	if err := decoder.Decode(&file); errors.Is(err, io.EOF) || err == nil && IsNull(file.Content[0]) {
		return f, f.problems(span{line: 1, col: 1}, "the file is empty", `the smallest configuration is "version: 1"`)
	} else if err != nil {
		return f, Problems{f.source.syntaxProblem(err)}
	}
	f.source.hideSecrets(file.Content[0])
	if err := decoder.Decode(&extra); err == nil {
		at := span{line: extra.Line, col: max(extra.Column, 1)}
		return f, f.problems(at, "a second document begins here: a configuration is one document", `remove the "---" line`)
	} else if !errors.Is(err, io.EOF) {
		return f, Problems{f.source.syntaxProblem(err)}
	}
	f.root = file.Content[0]
	f.indexMaps(f.root)
	return f, nil
}

func (f *File) problems(at span, message, hint string) Problems {
	return Problems{f.source.problem(at, "", message, hint)}
}

func invalidAt(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(text)
}

// Root is the top of the document; nil when it could not be parsed.
func (f *File) Root() *yaml.Node { return f.root }

// At reports an error at a node. One that takes no room, such as the nothing
// after a colon, is reported at its key, which may be nil.
func (f *File) At(n, key *yaml.Node, path, message, hint string) Problem {
	return f.source.problem(f.spot(Entry{Key: key, Value: n}), path, message, hint)
}

// AtOffset reports an error at a character, counted from 0, of a scalar's
// text, as exactly as [File.ProblemIn].
func (f *File) AtOffset(n *yaml.Node, offset int, path, message, hint string) Problem {
	before := string([]rune(n.Value)[:offset])
	last := before[strings.LastIndex(before, "\n")+1:]
	at, _ := f.source.inside(n, 1+strings.Count(before, "\n"), 1+utf8.RuneCountInString(last))
	return f.source.problem(at, path, message, hint)
}

// Problem reports an error at a path such as routes.deploy-main.when or
// webhooks.github.secrets[1]. A path that is not in the file is reported at
// its nearest ancestor.
func (f *File) Problem(path, message, hint string) Problem {
	f = f.of(path)
	found := f.find(path)
	return f.source.problem(f.spot(found), path, message, hint)
}

// ProblemIn reports an error at a line and column, both counted in characters
// from 1, within the text of the scalar at path: where CEL found its error.
// Folded and many-line scalars are pointed at as a whole.
func (f *File) ProblemIn(path string, line, col int, message, hint string) Problem {
	f = f.of(path)
	found := f.find(path)
	n := Resolve(found.Value)
	if !found.exact || n == nil || n.Kind != yaml.ScalarNode || substituted(n.Value) {
		return f.source.problem(f.spot(found), path, message, hint)
	}
	at, exact := f.source.inside(n, line, col)
	if !exact && strings.Contains(n.Value, "\n") || !exact && line > 1 {
		message = fmt.Sprintf("%s, at line %d column %d of the text", message, line, col)
	}
	return f.source.problem(at, path, message, hint)
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

// Has reports whether the file itself contains path.
func (f *File) Has(path string) bool { return f.of(path).find(path).exact }

// Scalar returns the text of the scalar at path as it is in the file; nothing
// for all else.
func (f *File) Scalar(path string) string {
	found := f.of(path).find(path)
	if n := Resolve(found.Value); found.exact && n != nil && n.Kind == yaml.ScalarNode {
		return n.Value
	}
	return ""
}

// spot is where to point for an Entry: at a scalar itself, else at its key.
func (f *File) spot(e Entry) span {
	switch {
	case e.Value != nil && e.Value.Kind == yaml.ScalarNode && (e.Value.Value != "" || e.Value.Style != 0):
		return f.source.span(e.Value)
	case e.Key != nil:
		return f.source.span(e.Key)
	case e.Value != nil && e.Value.Line > 0:
		return f.source.span(e.Value)
	}
	return span{line: 1, col: 1}
}

// Entry is a key and its value; the key is nil for items of lists and the root.
type Entry struct {
	Key, Value *yaml.Node

	exact bool // the path led here, not only to an ancestor
}

// find follows a path as far as the file goes. Keys may contain dots, so at
// each map the longest key that fits is taken.
func (f *File) find(path string) Entry {
	at := Entry{Value: f.root, exact: true}
	for path != "" {
		next, rest := f.step(Resolve(at.Value), path)
		if next.Value == nil {
			at.exact = false
			return at
		}
		at, path = next, rest
	}
	return at
}

func (f *File) step(n *yaml.Node, path string) (found Entry, rest string) {
	if n == nil {
		return found, ""
	}
	if n.Kind == yaml.SequenceNode {
		return item(n, path)
	}
	path = strings.TrimPrefix(path, ".")
	for end := len(path); end > 0; end = strings.LastIndexAny(path[:end], ".[") {
		if found, ok := f.index[n].byKey[path[:end]]; ok {
			found.exact = true
			return found, path[end:]
		}
	}
	return found, ""
}

func item(n *yaml.Node, path string) (Entry, string) {
	index, rest, ok := strings.Cut(strings.TrimPrefix(path, "["), "]")
	i, err := strconv.Atoi(index)
	if !ok || err != nil || i < 0 || i >= len(n.Content) {
		return Entry{}, ""
	}
	return Entry{Value: n.Content[i], exact: true}, rest
}

// Resolve follows an alias to what it stands for.
func Resolve(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// table is a map of the file with what is merged into it.
type table struct {
	list  []Entry // own entries first, in order; keys may repeat
	byKey map[string]Entry
}

// Entries lists what a map contains: its own entries, duplicates included,
// then those merged into it with << that it does not override.
func (f *File) Entries(n *yaml.Node) []Entry { return f.index[n].list }

// indexMaps prepares every map below n once: finding paths has to be quick
// for files of thousands of routes.
func (f *File) indexMaps(n *yaml.Node) {
	if n.Kind == yaml.MappingNode {
		t := table{list: merged(n, 0), byKey: map[string]Entry{}}
		for _, e := range t.list {
			if _, ok := t.byKey[e.Key.Value]; !ok {
				t.byKey[e.Key.Value] = e
			}
		}
		f.index[n] = t
	}
	for _, child := range n.Content {
		f.indexMaps(child)
	}
}

// maxMerge bounds how many maps may merge one another in a row.
const maxMerge = 8

func merged(n *yaml.Node, depth int) (all []Entry) {
	n = Resolve(n)
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
	var more []Entry
	own := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if isMerge(n.Content[i]) {
			more = append(more, merged(n.Content[i+1], depth+1)...)
			continue
		}
		own[n.Content[i].Value] = true
		all = append(all, Entry{Key: n.Content[i], Value: n.Content[i+1]})
	}
	for _, e := range more {
		if !own[e.Key.Value] {
			own[e.Key.Value] = true
			all = append(all, e)
		}
	}
	return all
}

func isMerge(key *yaml.Node) bool {
	return key.Tag == "!!merge" || key.Value == "<<" && key.Style == 0
}

// IsNull reports whether a node is null, or nothing at all.
func IsNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}
