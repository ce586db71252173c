// Package slip finds what a route may say and hardly ever means. The checks of a
// configuration warn of it.
package slip

import (
	"fmt"
	"strings"
)

// Route is what of a route is looked at.
type Route struct {
	Path string
	// Match are places with what they may hold, With is the workflow's input.
	Match map[string][]any
	With  any
}

// Find warns of slips. has tells whether a path stands in the file.
func Find(r Route, has func(path string) bool, warn func(path, message, hint string)) {
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
	s.braces(r.Path+".with", r.With)
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

// braces warns of expressions in the brackets of other programs.
func (s slips) braces(at string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, below := range v {
			s.braces(at+"."+key, below)
		}
	case []any:
		for i, below := range v {
			s.braces(fmt.Sprintf("%s[%d]", at, i), below)
		}
	case string:
		for before, rest, found := strings.Cut(v, "{{"); found; before, rest, found = strings.Cut(rest, "{{") {
			if !strings.HasSuffix(before, "$") && strings.HasPrefix(strings.TrimLeft(rest, " ."), "event.") {
				s.warn(at, "{{ }} is plain text here", "write ${{ … }}")
				return
			}
		}
	}
}
