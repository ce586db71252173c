package sdk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// Config is the engine's `config:` of gateway.yaml.
type Config struct {
	// JSON is the whole value; `null` when there is none.
	JSON json.RawMessage
	// BaseDir is the folder of gateway.yaml: relative paths start there.
	BaseDir string
}

// Decode stores the configuration in the struct that v points to. Keys that
// v doesn't know and values of a wrong type come back as Problems. Without
// `config:` v stays as it is.
func (c *Config) Decode(v any) error {
	if !c.configured() {
		return nil
	}
	var tree any
	if err := json.Unmarshal(c.JSON, &tree); err != nil {
		return err
	}
	if unknown := unknownKeys(reflect.TypeOf(v), tree, nil); len(unknown) > 0 {
		return errors.Join(unknown...)
	}
	err := json.Unmarshal(c.JSON, v)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return Problem{Path: fieldPath(wrong.Field), Message: fmt.Sprintf("%s, want %s", wrong.Value, plainType(wrong.Type))}
	}
	return err
}

// Problem is one mistake in what the user wrote.
type Problem struct {
	// Path is where: keys and indexes from the root; empty is the whole.
	Path []string
	// Message is what is wrong there.
	Message string
}

// Error is the path and the message.
func (p Problem) Error() string {
	if len(p.Path) == 0 {
		return p.Message
	}
	return strings.Join(p.Path, ".") + ": " + p.Message
}

// problems are the leaves of an error's tree, each as a Problem.
func problems(err error) []*enginev1.Problem {
	if err == nil {
		return nil
	}
	if p, ok := err.(Problem); ok {
		out := &enginev1.Problem{Message: text(p.Message)}
		for _, key := range p.Path {
			out.Path = append(out.Path, text(key))
		}
		return []*enginev1.Problem{out}
	}
	if p, ok := err.(*Problem); ok && p != nil {
		return problems(*p)
	}
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		var out []*enginev1.Problem
		for _, e := range several.Unwrap() {
			out = append(out, problems(e)...)
		}
		return out
	}
	if p, ok := errors.AsType[Problem](err); ok {
		return problems(p)
	}
	return []*enginev1.Problem{{Message: text(err.Error())}}
}

// unknownKeys finds the keys of value that type t has no field for. A strict
// json.Decoder finds only the first one, and doesn't tell where it stands.
func unknownKeys(t reflect.Type, value any, path []string) []error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var out []error
	switch v := value.(type) {
	case []any:
		for i, item := range v {
			if t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
				out = append(out, unknownKeys(t.Elem(), item, at(path, fmt.Sprint(i)))...)
			}
		}
	case map[string]any:
		for _, key := range sortedKeys(v) {
			out = append(out, unknownKey(t, key, v[key], path)...)
		}
	}
	return out
}

func unknownKey(t reflect.Type, key string, value any, path []string) []error {
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return nil
	}
	switch t.Kind() {
	case reflect.Map:
		return unknownKeys(t.Elem(), value, at(path, key))
	case reflect.Struct:
		fields := fieldsByKey(t)
		if field, ok := fields[key]; ok {
			return unknownKeys(field, value, at(path, key))
		}
		message := "unknown key"
		if near := nearest(key, sortedKeys(fields)); near != "" {
			message += fmt.Sprintf(" (did you mean %q?)", near)
		}
		return []error{Problem{Path: at(path, key), Message: message}}
	}
	return nil
}

// fieldsByKey are the keys that encoding/json would fill, as they are spelled.
func fieldsByKey(t reflect.Type) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() || f.Anonymous && name == "" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		out[name] = f.Type
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// at is a path of its own: append alone would share it among siblings.
func at(path []string, key string) []string {
	return append(slices.Clip(path), key)
}

func fieldPath(field string) []string {
	if field == "" {
		return nil
	}
	return strings.Split(field, ".")
}

// plainType names a Go type for people who write YAML.
func plainType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "a mapping"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	}
	return "a number"
}

// configured is whether the user wrote anything.
func (c *Config) configured() bool {
	b := bytes.TrimSpace(c.JSON)
	return len(b) > 0 && string(b) != "null" && string(b) != "{}"
}
