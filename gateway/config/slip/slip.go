// Package slip finds what a route may say and hardly ever means. The checks of a
// configuration warn of it.
package slip

import (
	"fmt"
	"regexp"
	"strings"
)

// Route is what of a route is looked at.
type Route[V ~[]any] struct {
	Path string
	// Match are places with what they may hold, With is the workflow's input.
	Match map[string]V
	With  any
	// Grouped: With is about a group of events.
	Grouped bool
}

// Find warns of slips. has tells whether a path stands in the file.
func Find[V ~[]any](r Route[V], has func(path string) bool, warn func(path, message, hint string)) {
	s := slips{warn}
	for place, values := range r.Match {
		for i, v := range values {
			at := r.Path + ".match." + place
			if item := fmt.Sprintf("%s[%d]", at, i); has(item) {
				at = item
			}
			if text, ok := v.(string); ok {
				s.star(at, strings.TrimPrefix(place, "event."), text)
			}
		}
	}
	s.texts(r.Path+".with", r.With, s.braces)
	if r.Grouped {
		s.texts(r.Path+".with", r.With, s.single)
	}
}

type slips struct {
	warn func(path, message, hint string)
}

// star warns of a pattern where texts are compared as they are.
func (s slips) star(at, place, text string) {
	start, isPrefix := strings.CutSuffix(text, "*")
	end, isSuffix := strings.CutPrefix(text, "*")
	switch {
	case isPrefix && start != "":
		s.warn(at, "match compares whole texts: the star stands for itself", fmt.Sprintf("when: event.%s.startsWith(%q)", place, start))
	case isSuffix && end != "":
		s.warn(at, "match compares whole texts: the star stands for itself", fmt.Sprintf("when: event.%s.endsWith(%q)", place, end))
	}
}

// texts looks at all texts of a value.
func (s slips) texts(at string, v any, look func(at, text string)) {
	switch v := v.(type) {
	case map[string]any:
		for key, below := range v {
			s.texts(at+"."+key, below, look)
		}
	case []any:
		for i, below := range v {
			s.texts(fmt.Sprintf("%s[%d]", at, i), below, look)
		}
	case string:
		look(at, v)
	}
}

// braces warns of expressions in the brackets of other programs.
func (s slips) braces(at, text string) {
	for before, rest, found := strings.Cut(text, "{{"); found; before, rest, found = strings.Cut(rest, "{{") {
		if !strings.HasSuffix(before, "$") && strings.HasPrefix(strings.TrimLeft(rest, " ."), "event.") {
			s.warn(at, "{{ }} is plain text here", "write ${{ … }}")
			return
		}
	}
}

// data finds what an expression reads of the event's data.
var data = regexp.MustCompile(`\bevent\.data\.([A-Za-z_]\w*)`)

// single warns of the data of one event where there are several.
func (s slips) single(at, text string) {
	for rest := text; ; {
		_, after, found := strings.Cut(rest, "${{")
		if !found {
			return
		}
		expression, next, _ := strings.Cut(after, "}}")
		for _, m := range data.FindAllStringSubmatch(expression, -1) {
			if m[1] != "events" {
				s.warn(at, fmt.Sprintf("with debounce the data of a run has only events: nothing is at event.data.%s", m[1]),
					fmt.Sprintf("event.data.events[0].data.%s is that of the first event", m[1]))
				return
			}
		}
		rest = next
	}
}
