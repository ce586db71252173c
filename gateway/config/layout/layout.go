// Package layout puts a configuration into its canonical form. It works on the
// lines of the file, not on what they mean: comments, blank lines, quotes and the
// order of keys stay as their author has them. What it makes is read again and
// compared, and handed out only when it says the same.
//
// The form: two spaces for each level, lists below a key indented too; one space
// after ":", "-" and ","; none inside [ ] and { }; no spaces at the ends of
// lines, at most one blank line in a row, one line end at the end.
package layout

import (
	"bytes"
	"errors"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/event-gateway/gateway/gateway/config/document"
)

// errUnlike: no fault of the file, but better not to touch it.
var errUnlike = errors.New("is written in a way that cannot be put into form without changing what it says: left as it is")

// Format returns the canonical form of a configuration. A file that is no YAML,
// and one that cannot be kept as it is meant, is an error. Formed again, it stays.
func Format(name string, text []byte) ([]byte, error) {
	if _, problems := document.Parse(name, text); problems.Failed() {
		return nil, problems
	}
	formed := form(text)
	if !same(text, formed) || !bytes.Equal(formed, form(formed)) {
		return nil, document.Problems{{File: name, Message: errUnlike.Error(), Severity: document.Error}}
	}
	return formed, nil
}

func form(text []byte) []byte {
	f := former{lines: split(text)}
	f.run()
	return f.text()
}

// split returns the lines of a text without their ends.
func split(text []byte) []string {
	plain := strings.ReplaceAll(string(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))), "\r\n", "\n")
	return strings.Split(strings.TrimSuffix(plain, "\n"), "\n")
}

// same tells whether two texts say the same in the same words: nodes, their
// styles and their comments. Where comments hang is for the lines to say.
func same(a, b []byte) bool {
	var x, y yaml.Node
	if yaml.Unmarshal(a, &x) != nil || yaml.Unmarshal(b, &y) != nil {
		return false
	}
	return alike(&x, &y) && comments(string(a)) == comments(string(b))
}

func alike(x, y *yaml.Node) bool {
	if x.Kind != y.Kind || x.Tag != y.Tag || x.Value != y.Value || x.Anchor != y.Anchor || x.Style != y.Style || len(x.Content) != len(y.Content) {
		return false
	}
	for i := range x.Content {
		if !alike(x.Content[i], y.Content[i]) {
			return false
		}
	}
	return true
}

// comments are the words of a text that follow a "#", in their order: more than
// its comments, but all of them.
func comments(text string) string {
	var all strings.Builder
	for line := range strings.Lines(text) {
		if _, after, ok := strings.Cut(line, "#"); ok {
			all.WriteString(strings.Join(strings.Fields(after), "") + "\n")
		}
	}
	return all.String()
}
