package document

import (
	"bytes"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// Set writes a text into a map of a file, always in double quotes: in the place
// of the value that the key has, or behind the entry of another key. All else
// stays as it is, to the last space. The error says what a person has to do.
func Set(name string, text []byte, path, key, behind, value string) ([]byte, error) {
	f, problems := Parse(name, text)
	if problems.Failed() {
		return nil, problems
	}
	parent := f.find(path)
	node := parent.Value
	if !parent.exact || node == nil || node.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s: is not written out in this file: add %s: %q by hand", path, key, value)
	}
	own := map[string]Entry{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		own[node.Content[i].Value] = Entry{Key: node.Content[i], Value: node.Content[i+1]}
	}
	e := edit{f: f, quoted: `"` + value + `"`, lines: strings.SplitAfter(string(text), "\n")}
	if bytes.HasPrefix(text, []byte(mark)) {
		e.first = 1
	}
	if old, ok := own[key]; ok && e.replace(old.Value) {
		return e.text(), nil
	}
	if at, ok := own[behind]; ok && own[key].Key == nil && e.insert(at, key, node.Style&yaml.FlowStyle != 0) {
		return e.text(), nil
	}
	return nil, fmt.Errorf("%s: is not written in a way that can be changed here: set %s: %q by hand", path, key, value)
}

// edit is a change of a file's text. Columns count characters from 1; first is
// by how many those of the first line are off.
type edit struct {
	f      *File
	quoted string
	lines  []string
	first  int
}

func (e *edit) text() []byte { return []byte(strings.Join(e.lines, "")) }

// splice puts text in the place of the columns from ≤ x < end of a line.
func (e *edit) splice(line, from, end int, text string) {
	runes := []rune(e.lines[line-1])
	off := -1
	if line == 1 {
		off += e.first
	}
	e.lines[line-1] = string(runes[:from+off]) + text + string(runes[end+off:])
}

func (e *edit) replace(n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode || n.Value == "" && n.Style == 0 || !e.f.source.oneLine(n) {
		return false
	}
	at := e.f.source.span(n)
	e.splice(at.line, at.col, at.end, e.quoted)
	return true
}

// insert puts a key behind another: on the same line in {…}, else on a line of
// its own, below the value and the comment beside it.
func (e *edit) insert(behind Entry, key string, flow bool) bool {
	if behind.Value.Kind != yaml.ScalarNode || !e.f.source.oneLine(behind.Value) {
		return false
	}
	at := e.f.source.span(behind.Value)
	if flow {
		e.splice(at.line, at.end, at.end, ", "+key+": "+e.quoted)
		return true
	}
	line := e.lines[at.line-1]
	end := line[len(strings.TrimRight(line, "\r\n")):]
	if end == "" {
		end = "\n"
		e.lines[at.line-1] += end
	}
	indent := strings.Repeat(" ", behind.Key.Column-1)
	e.lines[at.line-1] += indent + key + ": " + e.quoted + end
	return true
}
