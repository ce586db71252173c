package document

import (
	"cmp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// source is the text of the file, for pointing into it and for showing it.
type source struct {
	file  string
	lines []string // without line ends
	shown []string // the same with literal secrets starred out
}

func newSource(file, text string) *source {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	return &source{file: file, lines: lines, shown: append([]string(nil), lines...)}
}

// span is a place in the file: columns first ≤ x < end of one line. An end of
// zero is not known.
type span struct{ line, col, end int }

// line returns line n as characters; nothing when there is no such line.
func (s *source) line(n int) []rune {
	if n < 1 || n > len(s.lines) {
		return nil
	}
	return []rune(s.lines[n-1])
}

// problem makes an error at a place, with that line and the one above it.
func (s *source) problem(at span, path, message, hint string) Problem {
	p := Problem{
		File: s.file, Line: at.line, Col: at.col, EndCol: max(at.end, at.col+1),
		Path: path, Message: message, Hint: hint, Severity: Error,
	}
	for n := max(at.line-1, 1); n <= min(at.line, len(s.shown)); n++ {
		if strings.TrimSpace(s.shown[n-1]) != "" {
			p.excerpt = append(p.excerpt, excerptLine{n, s.shown[n-1]})
		}
	}
	return p
}

// span finds where a node stands. A scalar over several lines, and anything
// that is not a scalar, ends with its first line.
func (s *source) span(n *yaml.Node) span {
	text := s.line(n.Line)
	at := span{line: n.Line, col: n.Column, end: len(text) + 1}
	if n.Kind != yaml.ScalarNode || n.Column > len(text) {
		return at
	}
	if end, ok := scalarEnd(text, n); ok {
		at.end = end
	}
	return at
}

// oneLine reports whether all of a scalar stands on the line it starts on.
func (s *source) oneLine(n *yaml.Node) bool {
	text := s.line(n.Line)
	if n.Column > len(text) {
		return n.Value == ""
	}
	_, ok := scalarEnd(text, n)
	return ok
}

// scalarEnd returns the column after a plain or quoted scalar that ends on the
// line it starts on.
func scalarEnd(text []rune, n *yaml.Node) (int, bool) {
	start := n.Column - 1
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) != 0 || n.Anchor != "":
		return 0, false
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		end := walkQuoted(text, start, -1)
		return end + 1, end > 0
	}
	end := start + len([]rune(n.Value))
	return end + 1, end <= len(text) && string(text[start:end]) == n.Value
}

// walkQuoted steps through a quoted scalar that opens at text[start] and
// returns where its count-th character stands; a negative count asks for the
// place after the closing quote. It returns -1 when the line ends before.
func walkQuoted(text []rune, start, count int) int {
	quote := text[start]
	for i := start + 1; i < len(text); count-- {
		if count == 0 {
			return i
		}
		step := 1
		switch {
		case quote == '"' && text[i] == '\\' && i+1 < len(text):
			step = escapeLength(text[i+1])
		case quote == '\'' && text[i] == '\'' && i+1 < len(text) && text[i+1] == '\'':
			step = 2
		case text[i] == quote:
			if count > 0 {
				return i
			}
			return i + 1
		}
		i += step
	}
	return -1
}

// escapeLength is the width of a double-quoted escape, its backslash included.
func escapeLength(kind rune) int {
	switch kind {
	case 'x':
		return 4
	case 'u':
		return 6
	case 'U':
		return 10
	}
	return 2
}

// inside maps a line and column of a scalar's text (both from 1) to the file.
// It is exact for one-line scalars and | blocks; for others it is the scalar.
func (s *source) inside(n *yaml.Node, line, col int) (span, bool) {
	if line < 1 || col < 1 {
		return s.span(n), false
	}
	if n.Style&yaml.LiteralStyle != 0 {
		return s.insideBlock(n, line, col)
	}
	if line > 1 || !s.oneLine(n) {
		return s.span(n), false
	}
	at := n.Column + col - 1
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		at = walkQuoted(s.line(n.Line), n.Column-1, col-1) + 1
	}
	return span{line: n.Line, col: at, end: at + 1}, at > 0
}

// insideBlock finds the indentation of a | block by laying its first line
// with text over the file, which also settles an indentation indicator (|2).
func (s *source) insideBlock(n *yaml.Node, line, col int) (span, bool) {
	for i, text := range strings.Split(n.Value, "\n") {
		if text == "" {
			continue
		}
		in, ok := strings.CutSuffix(string(s.line(n.Line+1+i)), text)
		if !ok || strings.Trim(in, " ") != "" {
			break
		}
		at := len(in) + col
		return span{line: n.Line + line, col: at, end: at + 1}, n.Line+line <= len(s.lines)
	}
	return s.span(n), false
}

// hideSecrets stars out literal values below keys that hold secrets, so that
// no excerpt shows them.
func (s *source) hideSecrets(root *yaml.Node) {
	var nodes []hidden
	collect(root, false, &nodes)
	slices.SortStableFunc(nodes, func(a, b hidden) int { return cmp.Compare(a.node.Line, b.node.Line) })
	for i, h := range nodes {
		if !h.secret {
			continue
		}
		at := s.span(h.node)
		s.star(at.line, at.col, at.end)
		if s.oneLine(h.node) {
			continue
		}
		end := len(s.lines) + 1
		for _, next := range nodes[i+1:] {
			if next.node.Line > at.line {
				end = next.node.Line
				break
			}
		}
		for n := at.line + 1; n < end; n++ {
			s.star(n, 1, len(s.line(n))+1)
		}
	}
}

// hidden is a scalar and whether it is secret.
type hidden struct {
	node   *yaml.Node
	secret bool
}

func collect(n *yaml.Node, secret bool, out *[]hidden) {
	if n.Kind == yaml.ScalarNode {
		*out = append(*out, hidden{n, secret && literal(n.Value)})
	}
	if n.Kind == yaml.AliasNode && secret && n.Alias.Kind == yaml.ScalarNode {
		collect(n.Alias, secret, out)
	}
	for i, child := range n.Content {
		below := secret
		if n.Kind == yaml.MappingNode {
			key := n.Content[i&^1].Value
			isValue := i&1 == 1 && key != "until" && !(key == "role" && roleName(child.Value))
			below = isValue && (secret || holdsSecret(key)) && key != "signature" && key != "token_at"
		}
		collect(child, below, out)
	}
}

// roleName tells what a token is good for; it stands beside one.
func roleName(text string) bool { return text == "read" || text == "send" || text == "operate" }

// literal tells whether a text is more than references: beside them, or as the
// default of one, it may hold a secret itself.
func literal(text string) bool {
	for text != "" {
		inner, ok := strings.CutPrefix(text, "${")
		if !ok {
			return true
		}
		inner, text, _ = strings.Cut(inner, "}")
		if _, fallback, _ := strings.Cut(inner, ":-"); fallback != "" {
			return true
		}
	}
	return false
}

// holdsSecret goes by the key alone: it must also cover misspelt ones. An
// environment is full of credentials by any name.
func holdsSecret(key string) bool {
	key = strings.ReplaceAll(strings.ToLower(key), "-", "_")
	if key == "env" {
		return true
	}
	for _, word := range []string{
		"secret", "token", "password", "passwd", "passphrase", "credential", "api_key", "apikey", "private_key", "authorization", "cookie",
	} {
		if strings.Contains(key, word) {
			return true
		}
	}
	return false
}

// star overwrites columns col ≤ x < end of a line that may be shown. The width
// stays, so that carets stay under their characters.
func (s *source) star(line, col, end int) {
	if line < 1 || line > len(s.shown) {
		return
	}
	text := []rune(s.shown[line-1])
	for i := max(col-1, 0); i < min(end-1, len(text)); i++ {
		if text[i] != ' ' {
			text[i] = '*'
		}
	}
	s.shown[line-1] = string(text)
}
