package expr

import "strings"

const (
	open  = "${{"
	close = "}}"
)

// piece is a stretch of a template string: text, or the source of an
// expression that begins at byte at.
type piece struct {
	text     string
	at       int
	computed bool
}

// cut takes a string apart into text and expressions. A literal ${{ is written
// ${{ "${{" }}.
func cut(s string) ([]piece, error) {
	var pieces []piece
	for from := 0; from < len(s); {
		begin := strings.Index(s[from:], open)
		if begin < 0 {
			return append(pieces, piece{text: s[from:], at: from}), nil
		}
		if begin > 0 {
			pieces = append(pieces, piece{text: s[from : from+begin], at: from})
		}
		inner := from + begin + len(open)
		size := expressionEnd(s[inner:])
		if size < 0 {
			return nil, Errors{at(s, from+begin, "${{ is not closed: }} is missing")}
		}
		if strings.TrimSpace(s[inner:inner+size]) == "" {
			return nil, Errors{at(s, from+begin, "empty expression")}
		}
		pieces = append(pieces, piece{text: s[inner : inner+size], at: inner, computed: true})
		from = inner + size + len(close)
	}
	return pieces, nil
}

// expressionEnd is where the }} stands that ends an expression: outside of
// strings, comments and the braces of the expression itself; -1 without one.
func expressionEnd(s string) int {
	depth := 0
	for i := 0; i < len(s); {
		switch {
		case depth == 0 && strings.HasPrefix(s[i:], close):
			return i
		case s[i] == '{':
			depth++
		case s[i] == '}':
			depth--
		case s[i] == '"' || s[i] == '\'':
			i += literalLength(s, i)
			continue
		case strings.HasPrefix(s[i:], "//"):
			i += lineLength(s[i:])
			continue
		}
		i++
	}
	return -1
}

// literalLength is the length of CEL's string literal that begins at i: with
// one or three quotes, escapes unless raw. An open one reaches to the end.
func literalLength(s string, i int) int {
	quote := s[i : i+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s[i:], triple) {
		quote = triple
	}
	raw := i > 0 && (s[i-1] == 'r' || s[i-1] == 'R')
	for j := i + len(quote); j < len(s); j++ {
		if s[j] == '\\' && !raw {
			j++
			continue
		}
		if strings.HasPrefix(s[j:], quote) {
			return j + len(quote) - i
		}
	}
	return len(s) - i
}

func lineLength(s string) int {
	if end := strings.IndexByte(s, '\n'); end >= 0 {
		return end
	}
	return len(s)
}
