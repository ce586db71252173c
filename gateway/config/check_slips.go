package config

import (
	"fmt"
	"strings"
)

// slips warns of what a route may say and hardly ever means.
func (c *checker) slips(path string, r Route) {
	for place, values := range r.Match {
		for i, v := range values {
			at := path + ".match." + place
			if item := fmt.Sprintf("%s[%d]", at, i); c.doc.file.Has(item) {
				at = item
			}
			if text, ok := v.(string); ok {
				c.star(at, strings.TrimPrefix(place, "event."), text)
			}
		}
	}
	c.braces(path+".with", r.With)
}

// star warns of a pattern where texts are compared as they are.
func (c *checker) star(at, place, text string) {
	start, isPrefix := strings.CutSuffix(text, "*")
	end, isSuffix := strings.CutPrefix(text, "*")
	switch {
	case isPrefix && start != "":
		c.warn(at, "match compares whole texts: the star stands for itself", fmt.Sprintf("when: event.%s.startsWith(%q)", place, start))
	case isSuffix && end != "":
		c.warn(at, "match compares whole texts: the star stands for itself", fmt.Sprintf("when: event.%s.endsWith(%q)", place, end))
	}
}

// braces warns of expressions in the brackets of other programs.
func (c *checker) braces(at string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, below := range v {
			c.braces(at+"."+key, below)
		}
	case []any:
		for i, below := range v {
			c.braces(fmt.Sprintf("%s[%d]", at, i), below)
		}
	case string:
		for before, rest, found := strings.Cut(v, "{{"); found; before, rest, found = strings.Cut(rest, "{{") {
			if !strings.HasSuffix(before, "$") && strings.HasPrefix(strings.TrimLeft(rest, " ."), "event.") {
				c.warn(at, "{{ }} is plain text here", "write ${{ … }}")
				return
			}
		}
	}
}
