package event

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// maxDepth bounds how deep JSON may nest: no sender needs more, and whoever
// walks the value later may recurse.
const maxDepth = 256

// readJSON reads one JSON value (RFC 8259) as encoding/json would with
// UseNumber, in one pass, and keeps of it what is wanted. Strings and numbers
// are parts of the body itself, which never changes: every event takes this
// way, many of them for one comparison.
func readJSON(body []byte, w wanted) (any, error) {
	p := parser{s: unsafe.String(unsafe.SliceData(body), len(body)), utf8: utf8.Valid(body)} //nolint:gosec // the body never changes
	v, ok := p.value(w)
	if ok {
		p.space()
		ok = p.i == len(p.s) || p.fail("a second value or stray text")
	}
	if !ok {
		return nil, fmt.Errorf("body: not valid JSON at byte %d: %s", p.i+1, p.why)
	}
	return v, nil
}

// parser walks over s. Its methods return false after fail.
type parser struct {
	s     string
	i     int
	depth int
	utf8  bool
	why   string
}

func (p *parser) fail(why string) bool {
	if p.why == "" {
		p.why = why
	}
	return false
}

func (p *parser) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

// peek is the next byte after white space, 0 at the end.
func (p *parser) peek() byte {
	p.space()
	if p.i == len(p.s) {
		return 0
	}
	return p.s[p.i]
}

func (p *parser) value(w wanted) (any, bool) {
	switch c := p.peek(); {
	case c == '"':
		return p.quoted(w)
	case c == '{':
		if !p.enter() {
			return nil, false
		}
		v, ok := p.object(w)
		p.depth--
		return v, ok
	case c == '[':
		if !p.enter() {
			return nil, false
		}
		v, ok := p.array(w)
		p.depth--
		return v, ok
	case c == '-' || '0' <= c && c <= '9':
		return p.number(w)
	case c == 't':
		return w.only(true), p.word("true")
	case c == 'f':
		return w.only(false), p.word("false")
	case c == 'n':
		return nil, p.word("null")
	case c == 0 && p.i == len(p.s):
		return nil, p.fail("it ends too early")
	}
	return nil, p.fail("a value was expected")
}

func (p *parser) quoted(w wanted) (any, bool) {
	s, ok := p.text()
	if !w.all {
		return nil, ok
	}
	return s, ok
}

func (p *parser) word(w string) bool {
	if !strings.HasPrefix(p.s[p.i:], w) {
		return p.fail("a value was expected")
	}
	p.i += len(w)
	return true
}

// enter steps into a list or object.
func (p *parser) enter() bool {
	if p.depth++; p.depth > maxDepth {
		return p.fail("nested deeper than " + strconv.Itoa(maxDepth))
	}
	p.i++
	return true
}

func (p *parser) object(w wanted) (any, bool) {
	var m map[string]any
	var found any
	if w.all {
		m = map[string]any{}
		found = m
	}
	if p.peek() == '}' {
		p.i++
		return found, true
	}
	for {
		key, ok := p.key()
		if !ok {
			return nil, false
		}
		part := w.member(key)
		v, ok := p.value(part)
		switch {
		case !ok:
			return nil, false
		case w.all:
			m[key] = v
		case w.found(part):
			found = v
		}
		if done, ok := p.next('}'); done || !ok {
			return found, ok
		}
	}
}

// key reads a member's name and the colon behind it.
func (p *parser) key() (string, bool) {
	if p.peek() != '"' {
		return "", p.fail("a key in double quotes was expected")
	}
	key, ok := p.text()
	if !ok {
		return "", false
	}
	if p.peek() != ':' {
		return "", p.fail("a colon was expected")
	}
	p.i++
	return key, true
}

func (p *parser) array(w wanted) (any, bool) {
	var found any
	list := []any{}
	if p.peek() == ']' {
		p.i++
		return whole(w, list, nil), true
	}
	for i := 0; ; i++ {
		part := w.element(i)
		v, ok := p.value(part)
		switch {
		case !ok:
			return nil, false
		case w.all:
			list = append(list, v)
		case w.found(part):
			found = v
		}
		if done, ok := p.next(']'); done || !ok {
			return whole(w, list, found), ok
		}
	}
}

// next steps over a comma, or over the end of the list or object.
func (p *parser) next(end byte) (done, ok bool) {
	switch p.peek() {
	case ',':
		p.i++
		return false, true
	case end:
		p.i++
		return true, true
	}
	return false, p.fail("a comma or " + strconv.QuoteRune(rune(end)) + " was expected")
}

// number keeps the spelling: no digit of an id is ever lost.
func (p *parser) number(w wanted) (any, bool) {
	from := p.i
	if p.s[p.i] == '-' {
		p.i++
	}
	if p.at('0') {
		p.i++
	} else if !p.digits() {
		return nil, false
	}
	if p.at('.') {
		p.i++
		if !p.digits() {
			return nil, false
		}
	}
	if p.at('e') || p.at('E') {
		p.i++
		if p.at('+') || p.at('-') {
			p.i++
		}
		if !p.digits() {
			return nil, false
		}
	}
	if !w.all {
		return nil, true
	}
	return json.Number(p.s[from:p.i]), true
}

func (p *parser) at(c byte) bool { return p.i < len(p.s) && p.s[p.i] == c }

func (p *parser) digits() bool {
	from := p.i
	for p.i < len(p.s) && '0' <= p.s[p.i] && p.s[p.i] <= '9' {
		p.i++
	}
	return p.i > from || p.fail("a digit was expected")
}

// text reads a string. One without escapes is a part of the body as it is.
func (p *parser) text() (string, bool) {
	p.i++
	from := p.i
	for p.i += plain(p.s[p.i:]); p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; {
		case c == '"':
			s := p.s[from:p.i]
			p.i++
			return p.valid(s), true
		case c == '\\':
			return p.escaped(from)
		case c < ' ':
			return "", p.fail("a control character in a string")
		}
	}
	return "", p.fail("a string does not end")
}

// plain is how many bytes, in steps of eight, a string goes on without a quote,
// an escape or a control character.
func plain(s string) (n int) {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; len(s)-n >= 8; n += 8 {
		b := s[n : n+8]
		x := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		quote, escape := x^(ones*'"'), x^(ones*'\\')
		// A byte that is zero, or below a blank, sets its top bit; so may one
		// that follows such a byte, but then that one has.
		if ((quote-ones)&^quote|(escape-ones)&^escape|(x-ones*' ')&^x)&tops != 0 {
			break
		}
	}
	return n
}

// valid replaces what is not UTF-8, as encoding/json does.
func (p *parser) valid(s string) string {
	if p.utf8 || utf8.ValidString(s) {
		return s
	}
	b := make([]byte, 0, len(s)+8)
	for _, r := range s {
		b = utf8.AppendRune(b, r)
	}
	return string(b)
}

// escaped goes on with a string that began at from, at its first escape.
func (p *parser) escaped(from int) (string, bool) {
	b := []byte(p.s[from:p.i])
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			return p.valid(string(b)), true
		case c == '\\':
			var ok bool
			if b, ok = p.escape(b); !ok {
				return "", false
			}
		case c < ' ':
			return "", p.fail("a control character in a string")
		default:
			b = append(b, c)
			p.i++
		}
	}
	return "", p.fail("a string does not end")
}

const (
	escapes  = `"\/bfnrt`
	escapeds = "\"\\/\b\f\n\r\t"
)

func (p *parser) escape(b []byte) ([]byte, bool) {
	p.i++
	if p.i == len(p.s) {
		return nil, p.fail("a string does not end")
	}
	c := p.s[p.i]
	if at := strings.IndexByte(escapes, c); at >= 0 {
		p.i++
		return append(b, escapeds[at]), true
	}
	if c != 'u' {
		return nil, p.fail("an unknown escape")
	}
	p.i--
	r, ok := p.unicode()
	if !ok {
		return nil, p.fail(`four hexadecimal digits were expected after \u`)
	}
	if utf16.IsSurrogate(r) {
		before := p.i
		low, ok := p.unicode()
		if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
			p.i = before // the second half is a character of its own, or nothing
		}
	}
	return utf8.AppendRune(b, r), true
}

// unicode reads \uXXXX.
func (p *parser) unicode() (rune, bool) {
	if len(p.s)-p.i < 6 || p.s[p.i] != '\\' || p.s[p.i+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(p.s[p.i+2:p.i+6], 16, 16)
	if err != nil {
		return 0, false
	}
	p.i += 6
	return rune(n), true
}
