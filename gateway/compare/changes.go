package compare

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/event-gateway/gateway/gateway/api/revisions"
)

// What is told of changes: so many, and values so long.
const (
	maxChanges = 500
	maxValue   = 100
)

// Values is what a configuration says, as JSON: plain, to be compared, and as
// it may be shown.
type Values struct{ Plain, Shown map[string]any }

// Changes tells key by key how one configuration became another. Of a section
// that was not there before, or is not there any more, its entries are told.
func Changes(a, b Values) revisions.Changes {
	c := changes{Changes: []revisions.Change{}}
	for _, section := range union(a.Plain, b.Plain) {
		c.walk(section, side{entries(a.Plain, section), entries(a.Shown, section)}, side{entries(b.Plain, section), entries(b.Shown, section)})
	}
	return revisions.Changes(c)
}

// entries of a section; nothing at all is none.
func entries(all map[string]any, section string) any {
	if v := all[section]; v != nil {
		return v
	}
	return map[string]any{}
}

// side is a value of one configuration, and as it may be shown.
type side struct{ plain, shown any }

func (s side) at(key string) side {
	plain, _ := s.plain.(map[string]any)
	shown, _ := s.shown.(map[string]any)
	return side{plain[key], shown[key]}
}

func (s side) item(i int) side {
	shown, _ := s.shown.([]any)
	return side{s.plain.([]any)[i], shown[i]}
}

type changes revisions.Changes

func (c *changes) walk(path string, a, b side) {
	if reflect.DeepEqual(a.plain, b.plain) {
		return
	}
	before, was := a.plain.(map[string]any)
	after, is := b.plain.(map[string]any)
	if was && is {
		for _, key := range union(before, after) {
			c.key(path+"."+key, key, a, b, before, after)
		}
		return
	}
	first, was := a.plain.([]any)
	second, is := b.plain.([]any)
	if was && is && len(first) == len(second) {
		for i := range first {
			c.walk(fmt.Sprintf("%s[%d]", path, i), a.item(i), b.item(i))
		}
		return
	}
	c.add(path, "changed", text(a.shown), text(b.shown))
}

func (c *changes) key(path, key string, a, b side, before, after map[string]any) {
	_, was := before[key]
	_, is := after[key]
	switch {
	case !was:
		c.add(path, "added", "", text(b.at(key).shown))
	case !is:
		c.add(path, "removed", text(a.at(key).shown), "")
	default:
		c.walk(path, a.at(key), b.at(key))
	}
}

func (c *changes) add(path, kind, from, to string) {
	if len(c.Changes) == maxChanges {
		c.More++
		return
	}
	if kind == "changed" && (from == "" || to == "" || from == to) {
		from, to = "", "" // half of it says nothing
	}
	c.Changes = append(c.Changes, revisions.Change{Path: path, Kind: kind, From: from, To: to})
}

// text is a short value on one line; nothing for a long one and one that may
// not be shown.
func text(v any) string {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil || out.Len() > maxValue || strings.Contains(out.String(), redacted) {
		return ""
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// redacted is what stands for a secret.
const redacted = `"[redacted]"`

func union(a, b map[string]any) []string {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(keys)
	return slices.Compact(keys)
}
