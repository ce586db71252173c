package describe

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/config"
)

// object is a JSON object; the encoder sorts its keys.
type object = map[string]any

// ID is what the schema calls itself.
const ID = "https://raw.githubusercontent.com/event-gateway/gateway/main/gateway.schema.json"

// Schema is the JSON Schema of a configuration: draft 7, which every editor
// reads. It says what can be known of each value by itself; that what it names
// exists, and that it goes with the others, is found by `gateway validate`.
func (b *Book) Schema() ([]byte, error) {
	root := b.structure(reflect.TypeFor[config.Config]())
	root["properties"].(object)["version"] = object{"const": 1, "description": "of the format: always 1"}
	root["$schema"] = "http://json-schema.org/draft-07/schema#"
	root["$id"] = ID
	root["patternProperties"] = object{"^x-": object{"description": "yours, for anchors"}}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(root)
	return out.Bytes(), err
}

// structure is a map with known keys. One in which nothing is required may also
// be nothing: a section whose entries are commented out.
func (b *Book) structure(t reflect.Type) object {
	properties, required := object{}, []string{}
	for _, key := range b.Keys(t) {
		properties[key.Name] = b.property(key)
		if key.Tag.Get("required") != "" {
			required = append(required, key.Name)
		}
	}
	s := object{"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["type"], s["required"] = "object", required
	}
	if names := blank(t, "one"); names != "" {
		var each []any
		for name := range strings.SplitSeq(names, ",") {
			each = append(each, object{"required": []string{name}})
		}
		s["oneOf"], s["type"] = each, "object"
	}
	if scalar := blank(t, "scalar"); scalar != "" {
		return object{"anyOf": []any{properties[scalar], s}}
	}
	return s
}

// property is a key with what is said about it.
func (b *Book) property(key Key) object {
	s := b.value(key.Type, key.Tag)
	s["description"] = plain(key.Comment)
	if text, ok := key.Tag.Lookup("default"); ok {
		s["default"] = defaultOf(key.Type, text)
	}
	return s
}

func defaultOf(t reflect.Type, text string) any {
	switch t.Kind() {
	case reflect.Bool:
		return text == "true"
	case reflect.Int:
		if n, err := strconv.Atoi(text); err == nil && t.PkgPath() == "" {
			return n
		}
	}
	return text
}

// plain is a comment without links.
func plain(comment string) string {
	return regexp.MustCompile(`\[([^\]]+)\]\([^)]*\)`).ReplaceAllString(comment, "$1")
}

// value is what a type takes, as the decoder reads it.
func (b *Book) value(t reflect.Type, tag reflect.StructTag) object {
	if s := scalar(t, tag); s != nil {
		return s
	}
	switch t.Kind() {
	case reflect.Pointer:
		return b.value(t.Elem(), tag)
	case reflect.Struct:
		return b.structure(t)
	case reflect.Map:
		s := object{"type": []string{"object", "null"}, "additionalProperties": b.value(t.Elem(), "")}
		if names := namesOf(tag.Get("keys")); names != "" {
			s["propertyNames"] = object{"pattern": "^" + names + "$"}
		}
		return s
	case reflect.Slice:
		s := object{"type": "array", "items": b.value(t.Elem(), tag)}
		if tag.Get("required") != "" {
			s["minItems"] = 1
		}
		return s
	}
	return object{}
}

func namesOf(rule string) string {
	switch rule {
	case "any":
		return ""
	case "env":
		return `[A-Za-z_][A-Za-z0-9_]*`
	}
	return `[A-Za-z0-9][A-Za-z0-9_-]{0,62}`
}

// reference is what may stand in the place of any value: it is replaced before
// the value is read.
const reference = `[$][{](?:env|file|generate):`

// sound is text without a reference that there is not, or that is not closed.
const sound = `^(?![\s\S]*(?:^|[^$])[$][{](?!(?:env|file|generate):[^}]+[}]|[{]))`

func anyText() object {
	return object{"type": "string", "pattern": sound,
		"patternErrorMessage": "unknown reference: there are ${env:NAME}, ${env:NAME:-default}, ${file:path} and ${generate:path}; $${ is a literal ${"}
}

const duration = `(?:[0-9]+d)?(?:[0-9]+h)?(?:[0-9]+m)?(?:[0-9]+s)?(?:[0-9]+ms)?`

// scalar is what a type that is written as one value takes; nil for others.
func scalar(t reflect.Type, tag reflect.StructTag) object {
	switch t {
	case reflect.TypeFor[config.Duration]():
		some := `(?=.)`
		if tag.Get("min") != "" {
			some = `(?=.*[1-9])`
		}
		return text(some+duration, "want a duration like 30s, 1h30m or 7d")
	case reflect.TypeFor[config.Size]():
		return text(`[0-9]+(?:[KMGT]iB|kB|[MGT]B|B)`, "want a size like 512KiB, 1MiB or 2GB")
	case reflect.TypeFor[config.Percent]():
		return text(`0*(?:100|[0-9]{1,2})%`, "want a percentage from 0% to 100%")
	case reflect.TypeFor[config.Backoff]():
		return text(`(?=.*[1-9])(?=[0-9])`+duration+`(?:[.][.](?=[0-9])`+duration+`)?`, "want a range of durations like 1s..10m")
	case reflect.TypeFor[config.Rate]():
		return text(rate, "want a count and a window like 5/1m")
	case reflect.TypeFor[config.Throttle]():
		return text(`(?=0*[1-9])`+rate+`(?: +burst +[0-9]*[1-9][0-9]*)?`, "want a rate like 50/s or 50/s burst 200")
	case reflect.TypeFor[config.Pace]():
		return text(`(?=0*[1-9])`+rate, "want a rate like 10/m, at most 100000 in at most 1d")
	case reflect.TypeFor[config.Target]():
		return text(`[^/\s]+(?:/\S+)?`, "want engine/workflow")
	case reflect.TypeFor[config.File]():
		return text(`.+`, "want the name of a file")
	case reflect.TypeFor[time.Time]():
		return text(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})`, "want a time like 2026-12-01T00:00:00Z")
	case reflect.TypeFor[netip.Prefix]():
		return text(`[0-9A-Fa-f:.]+(?:/[0-9]{1,3})?`, "want a network like 203.0.113.0/24 or an address")
	case reflect.TypeFor[config.CEL]():
		return object{"type": "string", "pattern": `^(?!\s*[$][{][{])[\s\S]*\S`, "patternErrorMessage": "want an expression, without ${{ }}"}
	case reflect.TypeFor[config.Secret](), reflect.TypeFor[config.Hashed]():
		return anyText()
	case reflect.TypeFor[config.Values]():
		one := []string{"string", "number", "boolean", "null"}
		return object{"anyOf": []any{object{"type": one}, object{"type": "array", "minItems": 1, "items": object{"type": one}}}}
	case reflect.TypeFor[json.RawMessage]():
		return object{}
	}
	return basic(t, tag)
}

const rate = `[0-9]+/(?:[smhd]|(?=.*[1-9])(?=[0-9])` + duration + `)`

// text is a string of a form, or one with a reference in it.
func text(pattern, wanted string) object {
	return object{"type": "string", "pattern": "^(?:" + pattern + ")$|" + reference, "patternErrorMessage": wanted}
}

func basic(t reflect.Type, tag reflect.StructTag) object {
	switch t.Kind() {
	case reflect.Int:
		s := object{"type": []string{"integer", "string"}, "pattern": reference, "patternErrorMessage": "want a whole number, without quotes"}
		if low, err := strconv.Atoi(tag.Get("min")); err == nil {
			s["minimum"] = low
		}
		if high, err := strconv.Atoi(tag.Get("max")); err == nil {
			s["maximum"] = high
		}
		return s
	case reflect.Bool:
		return object{"type": []string{"boolean", "string"}, "pattern": reference, "patternErrorMessage": "want true or false"}
	case reflect.String:
		if names := tag.Get("enum"); names != "" {
			return object{"anyOf": []any{object{"enum": strings.Split(names, ",")}, object{"type": "string", "pattern": reference}}}
		}
		if pattern := tag.Get("pattern"); pattern != "" {
			return object{"type": "string", "pattern": "^(?:" + pattern + ")$|" + reference}
		}
		return anyText()
	}
	return nil
}
