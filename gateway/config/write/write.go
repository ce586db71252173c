// Package write turns plain data into YAML that package decode reads as exactly
// that data: entries that are made while the gateway runs, and what they are
// exported as. It stands before the decoder, where a person's editor would.
package write

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Field is a key of an entry with its value: a string, a list of strings, or
// JSON as a decoder with UseNumber gives it. References in it are text.
type Field struct {
	Key   string
	Value any
}

// Constant is JSON where a template stands: expressions in it are text, too.
type Constant struct{ Value any }

// Entry is a configuration with one entry alone, such as routes.deploy-main.
func Entry(name string, fields ...Field) ([]byte, error) {
	section, name, _ := strings.Cut(name, ".")
	entry := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range fields {
		n, err := valueNode(f.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Key, err)
		}
		entry.Content = append(entry.Content, textNode(f.Key), n)
	}
	return encode(mapNode(section, mapNode(name, entry)))
}

// Merge makes one document of several entries, each read as it is.
func Merge(entries [][]byte) ([]byte, error) {
	sections := map[string]*yaml.Node{}
	for _, text := range entries {
		var n yaml.Node
		if err := yaml.Unmarshal(text, &n); err != nil {
			return nil, err
		}
		if n.Kind != yaml.DocumentNode || n.Content[0].Kind != yaml.MappingNode {
			return nil, fmt.Errorf("an entry is not a map")
		}
		top := n.Content[0].Content
		for i := 0; i+1 < len(top); i += 2 {
			section := sections[top[i].Value]
			if section == nil {
				section = &yaml.Node{Kind: yaml.MappingNode}
				sections[top[i].Value] = section
			}
			section.Content = append(section.Content, top[i+1].Content...)
		}
	}
	whole := &yaml.Node{Kind: yaml.MappingNode}
	for _, name := range slices.Sorted(maps.Keys(sections)) {
		whole.Content = append(whole.Content, textNode(name), sections[name])
	}
	if len(sections) == 0 {
		return nil, nil
	}
	return encode(whole)
}

func encode(n *yaml.Node) ([]byte, error) {
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		return nil, err
	}
	return out.Bytes(), e.Close()
}

func mapNode(key string, value *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{textNode(key), value}}
}

func valueNode(v any) (*yaml.Node, error) {
	switch v := v.(type) {
	case []string:
		n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, s := range v {
			n.Content = append(n.Content, textNode(literal(s)))
		}
		return n, nil
	case Constant:
		return node(v.Value, func(s string) string { return computed(s) })
	}
	return node(v, literal)
}

// node is JSON as YAML; its strings go through escape, its keys do not: nothing
// is ever replaced in those.
func node(v any, escape func(string) string) (*yaml.Node, error) {
	switch v := v.(type) {
	case nil:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v)}, nil
	case json.Number:
		return numberNode(v), nil
	case string:
		return textNode(escape(v)), nil
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for _, item := range v {
			below, err := node(item, escape)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, below)
		}
		return empty(n), nil
	case map[string]any:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			below, err := node(v[key], escape)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, textNode(key), below)
		}
		return empty(n), nil
	}
	return nil, fmt.Errorf("%T is not JSON", v)
}

// empty shows that there is nothing: [] and {}.
func empty(n *yaml.Node) *yaml.Node {
	if len(n.Content) == 0 {
		n.Style = yaml.FlowStyle
	}
	return n
}

// numberNode says that it is a number where YAML would see none: beyond the
// range of a float.
func numberNode(number json.Number) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Value: string(number)}
	if _, err := number.Float64(); err != nil {
		n.Tag = "!!float"
	}
	return n
}

// textNode is quoted unless it is plain beyond doubt.
func textNode(text string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	if !plain(text) {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

func plain(text string) bool {
	letter := func(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }
	return text != "" && letter(rune(text[0])) && !strings.HasSuffix(text, " ") && !strings.ContainsFunc(text, func(r rune) bool {
		return !letter(r) && (r < '0' || r > '9') && !strings.ContainsRune(" _-./@", r)
	})
}
