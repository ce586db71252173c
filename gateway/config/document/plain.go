package document

import (
	"encoding/json"
	"strings"

	"gopkg.in/yaml.v3"
)

// Plain is what stands at a path as JSON would have it, with references as they
// are written; nil for what is not there.
func (f *File) Plain(path string) any {
	f = f.of(path)
	found := f.find(path)
	if !found.exact {
		return nil
	}
	return f.plain(Resolve(found.Value))
}

func (f *File) plain(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for _, e := range f.Entries(n) {
			if _, ok := m[e.Key.Value]; !ok {
				m[e.Key.Value] = f.plain(Resolve(e.Value))
			}
		}
		return m
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = f.plain(Resolve(item))
		}
		return list
	}
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int", "!!float":
		if json.Valid([]byte(n.Value)) {
			return json.Number(n.Value)
		}
	}
	return n.Value
}

// redacted stands for a secret that is not shown.
const redacted = "[redacted]"

// Redact hides literals under keys that speak of a secret, in a copy.
func Redact(v any) any { return redact(v, false) }

func redact(v any, secret bool) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, below := range v {
			m[key] = redact(below, secret || holdsSecret(key))
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = redact(v[i], secret)
		}
		return list
	case nil, bool:
		return v
	case string:
		if secret && literal(v) {
			return redacted
		}
		return v
	}
	if secret {
		return redacted
	}
	return v
}
