package screen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Line escapes what a terminal would obey instead of showing, and the ends of
// lines: a sender must not be able to write escape sequences to an operator's
// screen.
func Line(text string) string { return escape(text, unicode.IsPrint) }

// Block is Line for a text of many lines: it keeps their ends, and tabs.
func Block(text string) string {
	return escape(text, func(r rune) bool { return r == '\n' || r == '\t' || unicode.IsPrint(r) })
}

func escape(text string, shown func(rune) bool) string {
	var b strings.Builder
	for _, r := range text {
		if shown(r) && r != utf8.RuneError {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// Age tells in one unit how long ago something was; "-" when never.
func (s *Screen) Age(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return Short(s.Now().Sub(t))
}

// Until tells in one unit how far ahead something is: "now" when it is not.
func (s *Screen) Until(t time.Time) string {
	switch d := t.Sub(s.Now()); {
	case t.IsZero():
		return "-"
	case d <= 0:
		return "now"
	default:
		return "in " + Short(d)
	}
}

// Short is a duration in one unit.
func Short(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", max(0, d.Milliseconds()))
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// Size is a number of bytes in a unit that fits.
func Size(n uint64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v, i := float64(n), 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}

// Moment is a time as the user's clock has it; "-" for none.
func Moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.RFC3339)
}

// Pretty indents JSON, escaped for a terminal.
func Pretty(text json.RawMessage, indent string) string {
	var b bytes.Buffer
	if json.Indent(&b, text, indent, "  ") != nil {
		return Block(string(text))
	}
	return Block(b.String())
}

// OrDash is a text, or "-" for none.
func OrDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
