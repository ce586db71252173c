//go:build unix

package docs

import (
	"maps"
	"regexp"
	"strings"
	"testing"
)

// What differs from run to run, in the order in which it is looked for. What is
// named id is the same thing wherever a page shows it.
var differs = regexp.MustCompile(strings.Join([]string{
	`(?P<any>…)`,
	`(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))`,
	`(?P<clock>\b\d\d:\d\d:\d\d(?:\.\d+)?\b)`,
	`(?P<id>sha256:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b0[0-9a-z]{12}\b)`,
	`(?P<process>\b[\w-]+/[0-9a-f]{4} pid \d+\b)`,
	`(?P<hash>\b[0-9a-f]{12,64}\b)`,
	`(?P<span>\b\d+(?:\.\d+)?(?:µs|ms|s|m|h|d)(?:\d+(?:\.\d+)?s)?\b)`,
	`(?P<day>\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b)`,
	`(?P<spaces> {2,}|-{3,})`,
}, "|"))

var forms = map[string]string{
	"any":     `[^\n]*`,
	"time":    `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)`,
	"clock":   `\d\d:\d\d:\d\d(?:\.\d+)?`,
	"id":      `(sha256:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|0[0-9a-z]{12})`,
	"process": `[\w-]+/[0-9a-f]{4} pid \d+`,
	"hash":    `[0-9a-f]{12,64}`,
	"span":    `(?:\d+(?:\.\d+)?(?:µs|ms|s|m|h|d))+`,
	"day":     `(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)`,
	"spaces":  `(?: +|-+)`,
}

// fits: what was printed is what the page says, but for what differs from run to
// run. A line that is "…" stands for any lines. Ids are remembered.
func (s *shell) fits(says, printed string) bool {
	pattern, ids := s.pattern(tidy(says))
	m := regexp.MustCompile(pattern).FindStringSubmatch(printed)
	if m == nil {
		return false
	}
	found := map[string]string{}
	for i, id := range ids {
		if real, twice := found[id]; twice && real != m[i+1] {
			return false
		}
		found[id] = m[i+1]
	}
	maps.Copy(s.ids, found)
	return true
}

// pattern is a text as a regular expression, and the ids that are new in it.
func (s *shell) pattern(says string) (pattern string, ids []string) {
	var p strings.Builder
	p.WriteString(`\A`)
	for _, line := range strings.SplitAfter(says, "\n") {
		if strings.TrimSpace(line) == "…" {
			p.WriteString(`(?s:.*)`)
			continue
		}
		at := 0
		for _, m := range differs.FindAllStringSubmatchIndex(line, -1) {
			p.WriteString(regexp.QuoteMeta(line[at:m[0]]))
			at = m[1]
			what, text := kind(m), line[m[0]:m[1]]
			real, known := s.ids[text]
			switch {
			case what != "id":
				p.WriteString(forms[what])
			case known:
				p.WriteString(regexp.QuoteMeta(real))
			default:
				p.WriteString(forms[what])
				ids = append(ids, text)
			}
		}
		p.WriteString(regexp.QuoteMeta(line[at:]))
	}
	p.WriteString(`\z`)
	return p.String(), ids
}

// kind is the name of the group that matched.
func kind(m []int) string {
	for i, name := range differs.SubexpNames() {
		if i > 0 && m[2*i] >= 0 {
			return name
		}
	}
	return ""
}

// shownAs is what was printed, with the ids that the page has for them.
func (s *shell) shownAs(printed string) string {
	for shown, real := range s.ids {
		printed = strings.ReplaceAll(printed, real, shown)
	}
	return printed
}

// TestFits: the comparison lets through what differs from run to run and
// nothing else.
func TestFits(t *testing.T) {
	t.Parallel()
	const id, other = "0saevzjxg0001", "0saevzjxg0002"
	for name, c := range map[string]struct {
		says, printed string
		want          bool
	}{
		"the same":           {"ok\n", "ok\n", true},
		"another word":       {"succeeded\n", "dead\n", false},
		"another number":     {"2 routes\n", "3 routes\n", false},
		"another time":       {"at 2026-01-01T00:00:00Z\n", "at 2027-02-03T04:05:06+01:00\n", true},
		"another age":        {"a  3s  b\n", "a  120ms  b\n", true},
		"wider columns":      {"a  b\n", "a     b\n", true},
		"an id":              {id + "\n", other + "\n", true},
		"the same id":        {id + " " + id + "\n", other + " " + other + "\n", true},
		"two for one id":     {id + " " + id + "\n", id + " " + other + "\n", false},
		"some lines":         {"a\n…\nd\n", "a\nb\nc\nd\n", true},
		"some lines too few": {"a\n…\nd\n", "a\nb\nc\n", false},
		"part of a line":     {"a … d\n", "a b c d\n", true},
		"a line more":        {"a\n", "a\nb\n", false},
		"a line less":        {"a\nb\n", "a\n", false},
		"nothing":            {"", "a\n", false},
	} {
		s := &shell{t: t, ids: map[string]string{}}
		if got := s.fits(c.says, tidy(c.printed)); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
