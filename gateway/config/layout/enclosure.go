package layout

import (
	"bytes"
	"strings"
)

// enclosure follows quotes and brackets from one line to the next.
type enclosure struct {
	depth  int
	quote  byte // the one that is open
	fresh  bool // a quote here would open a text
	closed bool
	out    []byte
}

// line forms a line, up to where all is closed; what comes after that stays.
func (e *enclosure) line(text string) string {
	e.out = e.out[:0]
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case e.closed, c == '#' && e.quote == 0 && (i == 0 || text[i-1] == ' '):
			return string(e.out) + text[i:]
		case e.quote != 0:
			i += e.quoted(text[i:])
		case (c == '"' || c == '\'') && e.fresh:
			e.quote = c
			e.out = append(e.out, c)
			i++
		default:
			i += e.outside(text[i:])
		}
	}
	return string(e.out)
}

// quoted copies one character of a quoted text, and returns its width.
func (e *enclosure) quoted(text string) int {
	width := 1
	switch {
	case e.quote == '"' && text[0] == '\\' && len(text) > 1, e.quote == '\'' && strings.HasPrefix(text, "''"):
		width = 2
	case text[0] == e.quote:
		e.quote, e.fresh, e.closed = 0, false, e.depth == 0
	}
	e.out = append(e.out, text[:width]...)
	if e.quote == 0 && e.depth > 0 && strings.HasPrefix(text[width:], ":") && text[width:] != ":" {
		e.out = append(e.out, ": "...) // even without a space it ends a key
		e.fresh = true
		return width + len(text[width:]) - len(strings.TrimLeft(text[width+1:], " "))
	}
	return width
}

// outside copies one character outside of quotes, with the space that belongs
// around it, and returns the width of what it took.
func (e *enclosure) outside(text string) int {
	c, after := text[0], strings.TrimLeft(text[1:], " ")
	switch {
	case c == '[' || c == '{':
		e.depth++
		e.out = append(e.out, c)
	case c == ']' || c == '}':
		e.depth--
		e.closed = e.depth == 0
		e.out = append(bytes.TrimRight(e.out, " "), c)
	case c == ',' || c == ':' && (len(text) == 1 || strings.IndexByte(" ,[]{}", text[1]) >= 0):
		e.out = append(bytes.TrimRight(e.out, " "), c)
		if after != "" && strings.IndexByte(",]}#", after[0]) < 0 {
			e.out = append(e.out, ' ')
		}
	default:
		e.out = append(e.out, c)
		e.fresh = e.fresh && c == ' '
		return 1
	}
	e.fresh = c != ']' && c != '}'
	if e.closed || strings.HasPrefix(after, "#") {
		return 1 // the space before a comment stays
	}
	return len(text) - len(after)
}

// closing is where a quoted text at the beginning of a line is over; less than 0
// when it goes on below.
func closing(text string) int {
	e := enclosure{quote: text[0]}
	for i := 1; i < len(text); {
		if i += e.quoted(text[i:]); e.closed {
			return i
		}
	}
	return -1
}
