package document

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// syntaxProblem improves an error of the YAML parser, which has no column and
// often a line that is far too early: it finds the line that breaks the file
// and looks there for the mistakes that people make.
func (s *source) syntaxProblem(err error) Problem {
	s.hideUnparsed()
	n := s.broken()
	if col, message, hint := s.suspect(n); col > 0 {
		return s.problem(span{line: n, col: col}, "", message, hint)
	}
	for line := n; line >= max(n-1, 1); line-- {
		if col := bare(string(s.line(line))); col > 0 {
			return s.problem(span{line: line, col: col}, "", "a space is missing behind the colon", "")
		}
	}
	p := s.problem(span{line: n, col: 1}, "", "not YAML: "+plainer(err), "")
	p.EndCol = p.Col // the column is not known: no caret
	return p
}

// broken finds the line that breaks the file: everything above it is YAML, and
// nothing that ends on or shortly below it is.
func (s *source) broken() int {
	const together = 32 // lines that a list in brackets may well take
	good, bad := 0, len(s.lines)
	for {
		for bad-good > 1 {
			if middle := (good + bad) / 2; s.isYAML(middle) {
				good = middle
			} else {
				bad = middle
			}
		}
		next := bad
		for next++; next < min(bad+together, len(s.lines)) && !s.isYAML(next); next++ {
		}
		if next >= min(bad+together, len(s.lines)) {
			return bad
		}
		good, bad = next, len(s.lines)
	}
}

// isYAML reports whether the first n lines are well formed.
func (s *source) isYAML(n int) bool {
	decoder := yaml.NewDecoder(strings.NewReader(strings.Join(s.lines[:n], "\n") + "\n"))
	for {
		var node yaml.Node
		if err := decoder.Decode(&node); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}

// plainer words what the parser says without its line.
func plainer(err error) string {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if strings.HasPrefix(message, "line ") {
		_, message, _ = strings.Cut(message, ": ")
	}
	switch {
	case strings.HasPrefix(message, "did not find expected"):
		return "this line does not fit what is above it"
	case strings.HasPrefix(message, "unknown anchor"):
		// Its name may be a secret that begins with a star and is not quoted.
		return "there is no anchor to what begins with *: define it above with &, or quote it"
	case strings.HasPrefix(message, "mapping values are not allowed"):
		return `": " makes a map where none can be`
	}
	return message
}

// suspect looks for a known mistake in line n. A column of zero means none.
func (s *source) suspect(n int) (col int, message, hint string) {
	text := string(s.line(n))
	indent := len(text) - len(strings.TrimLeft(text, " "))
	if strings.HasPrefix(text[indent:], "\t") && strings.TrimSpace(text) != "" {
		return indent + 1, "a tab in the indentation", "indent with spaces"
	}
	value, at := plainValue(text)
	if value == "" {
		return s.misindented(n)
	}
	// In characters, as all columns.
	return suspectValue(value, len([]rune(text[:at]))+1, s, n)
}

func suspectValue(value string, col int, s *source, n int) (int, string, string) {
	const block = "quote the whole text, or use a | block"
	switch value[0] {
	case '"', '\'':
		end := walkQuoted([]rune(value), 0, -1)
		if end < 0 {
			return col, "a quote is not closed on its line", "end it with the same quote"
		}
		rest := strings.TrimSpace(string([]rune(value)[end:]))
		if rest != "" && rest[0] != '#' {
			return col + end, "text after the closing quote", block
		}
	case '[', '{':
		if strings.Contains(value, "${{") && !strings.ContainsAny(value, `"'`) {
			return col + len([]rune(value[:strings.Index(value, "${{")])), "${{ }} inside [ ] or { } is not quoted", `quote it: "${{ … }}"`
		}
		if unclosed(value) {
			return col, fmt.Sprintf("%q is not closed on its line", value[:1]), fmt.Sprintf("%q is missing", closer(value[0]))
		}
	case '@', '`', '%':
		return col, fmt.Sprintf("plain text cannot begin with %q", value[:1]), block
	case '|', '>', '&', '*':
	default:
		if i := strings.Index(value, ": "); i >= 0 {
			return col + len([]rune(value[:i])), `": " inside plain text`, block
		}
	}
	return s.misindented(n)
}

// plainValue returns what follows the first "key: " or "- " of a line, and
// where it begins.
func plainValue(text string) (string, int) {
	for _, mark := range []string{": ", "- "} {
		if i := strings.Index(text, mark); i >= 0 && !strings.HasPrefix(strings.TrimSpace(text), "#") {
			value := strings.TrimLeft(text[i+2:], " ")
			return value, len(text) - len(value)
		}
	}
	return "", 0
}

// bare is the column of the colon of a key that no space follows; 0 for none.
func bare(line string) int {
	text := strings.TrimLeft(line, " ")
	key, value, found := strings.Cut(text, ":")
	if !found || key == "" || value == "" || value[0] == ' ' || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return 0
	}
	return len(line) - len(text) + len(key) + 1
}

// closer is the partner of a bracket.
func closer(open byte) string {
	if open == '[' {
		return "]"
	}
	return "}"
}

// unclosed reports a bracket that has no partner in text, quotes left out.
func unclosed(text string) bool {
	depth, quote := 0, rune(0)
	for _, r := range text {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '"' || r == '\'':
			quote = r
		case r == '[' || r == '{':
			depth++
		case r == ']' || r == '}':
			depth--
		}
	}
	return depth > 0
}

// misindented reports a line whose indentation fits none of the lines above
// that could contain it, or that is indented below a finished value.
func (s *source) misindented(n int) (int, string, string) {
	indent, ok := indentation(string(s.line(n)))
	if !ok {
		return 0, "", ""
	}
	above := n - 1
	for above > 0 && strings.TrimSpace(s.lines[above-1]) == "" {
		above--
	}
	before, ok := indentation(string(s.line(above)))
	value, _ := plainValue(string(s.line(above)))
	if ok && indent > before && value != "" && !strings.ContainsAny(value[:1], "|>&#[{") {
		return indent + 1, "is indented below a line that already has a value", "keys of one map begin at the same column"
	}
	for level := before; ok && indent < level; {
		for above--; above > 0; above-- {
			if next, is := indentation(string(s.line(above))); is && next < level {
				level = next
				break
			}
		}
		if above <= 0 || indent > level {
			return indent + 1, "the indentation fits none of the lines above", "keys of one map begin at the same column"
		}
	}
	return 0, "", ""
}

// indentation counts the spaces before a line's text; not for empty lines and
// comments.
func indentation(text string) (int, bool) {
	trimmed := strings.TrimLeft(text, " ")
	return len(text) - len(trimmed), trimmed != "" && trimmed[0] != '#'
}

// hideUnparsed stars out what may be a secret in a file that has no nodes to
// go by: all literals on and below a line whose key sounds like one.
func (s *source) hideUnparsed() {
	below := -1 // the indentation of such a key
	for i, text := range s.lines {
		indent, isText := indentation(text)
		trimmed := strings.TrimSpace(text)
		if below >= 0 && isText && (indent > below || indent == below && strings.HasPrefix(trimmed, "-")) {
			s.starLiterals(i+1, indent)
			continue
		}
		if isText {
			below = -1
		}
		for _, key := range strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && r != '_' }) {
			at := strings.Index(text, key)
			if after := strings.TrimLeft(text[at+len(key):], `"' `); holdsSecret(key) && strings.HasPrefix(after, ":") {
				s.starLiterals(i+1, len(text)-len(after)+1)
				below = indent
			}
		}
	}
}

// starLiterals stars out what follows byte `from` of a line, except for
// references and punctuation.
func (s *source) starLiterals(line, from int) {
	text := s.lines[line-1]
	col := len([]rune(text[:from])) + 1
	rest := []rune(text[from:])
	for i := 0; i < len(rest); i++ {
		if rest[i] == '$' && i+1 < len(rest) && rest[i+1] == '{' {
			if end := slices.Index(rest[i:], '}'); end > 0 {
				i += end
				continue
			}
		}
		if !strings.ContainsRune(`[]{}"', -`, rest[i]) {
			s.star(line, col+i, col+i+1)
		}
	}
}
