package sdk

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// mistakes finds where a decoded JSON value doesn't fit type t. encoding/json
// stops at the first one and doesn't tell where it stands within a map.
func mistakes(t reflect.Type, value any, path []string) []error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if value == nil || decodesItself(t) {
		return nil
	}
	switch v := value.(type) {
	case []any:
		if t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
			return inList(t, v, path)
		}
	case map[string]any:
		if t.Kind() == reflect.Struct {
			return inStruct(t, v, path)
		}
		if t.Kind() == reflect.Map {
			return inMap(t, v, path)
		}
	}
	if want := kindOf(t); want != kindOf(reflect.TypeOf(value)) {
		return []error{Problem{Path: path, Message: "must be " + want}}
	}
	return nil
}

// decodesItself is whether only the type knows what fits.
func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return t.Kind() == reflect.Interface ||
		p.Implements(reflect.TypeFor[json.Unmarshaler]()) ||
		p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func inList(t reflect.Type, list []any, path []string) []error {
	var out []error
	for i, item := range list {
		out = append(out, mistakes(t.Elem(), item, at(path, strconv.Itoa(i)))...)
	}
	return out
}

func inMap(t reflect.Type, m map[string]any, path []string) []error {
	var out []error
	for _, key := range slices.Sorted(maps.Keys(m)) {
		out = append(out, mistakes(t.Elem(), m[key], at(path, key))...)
	}
	return out
}

func inStruct(t reflect.Type, m map[string]any, path []string) []error {
	fields := fieldsByKey(t)
	var out []error
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if field, ok := fields[key]; ok {
			out = append(out, mistakes(field, m[key], at(path, key))...)
			continue
		}
		message := "unknown key"
		if near := nearest(key, slices.Collect(maps.Keys(fields))); near != "" {
			message += fmt.Sprintf(" (did you mean %q?)", near)
		}
		out = append(out, Problem{Path: at(path, key), Message: message})
	}
	return out
}

// fieldsByKey are the keys that encoding/json fills, as they are spelled.
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

// at is a path of its own: append alone would share it among siblings.
func at(path []string, key string) []string {
	return append(slices.Clip(path), key)
}

// kindOf names a type for people who write YAML.
func kindOf(t reflect.Type) string {
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
