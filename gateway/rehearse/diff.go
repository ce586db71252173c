package rehearse

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/event-gateway/gateway/gateway/route"
)

// Difference is a place at which a value is not as it should be.
type Difference struct {
	// Path leads there from the value: .target or .items[0]; empty: itself.
	Path string
	Says string
}

// Compare tells where a value is not as wanted, both as JSON decodes with
// numbers kept. Numbers are compared by value. With partial, an object may have
// more than what is wanted.
func Compare(want, got any, partial bool) []Difference {
	c := comparison{partial: partial}
	c.value("", want, got)
	return c.found
}

type comparison struct {
	partial bool
	found   []Difference
}

func (c *comparison) say(path, format string, args ...any) {
	c.found = append(c.found, Difference{path, fmt.Sprintf(format, args...)})
}

func (c *comparison) value(path string, want, got any) {
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			c.object(path, w, g)
			return
		}
	case []any:
		if g, ok := got.([]any); ok {
			c.list(path, w, g)
			return
		}
	default:
		if route.Equal(want, got) {
			return
		}
	}
	c.say(path, "want %s, got %s", brief(asJSON(want)), brief(asJSON(got)))
}

func (c *comparison) object(path string, want, got map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if value, ok := got[key]; ok {
			c.value(path+"."+key, want[key], value)
		} else {
			c.say(path+"."+key, "want %s, got nothing", brief(asJSON(want[key])))
		}
	}
	if c.partial {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[key]; !ok {
			c.say(path+"."+key, "is not expected, got %s", brief(asJSON(got[key])))
		}
	}
}

func (c *comparison) list(path string, want, got []any) {
	for i := range min(len(want), len(got)) {
		c.value(fmt.Sprintf("%s[%d]", path, i), want[i], got[i])
	}
	if len(want) != len(got) {
		c.say(path, "want %d items, got %d: %s", len(want), len(got), brief(asJSON(got)))
	}
}

// Brief is JSON for a line of text.
func Brief(value json.RawMessage) string { return brief(value) }
