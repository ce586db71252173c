package expr

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types/ref"

	"github.com/event-gateway/gateway/gateway/event"
)

// Template makes a JSON value out of an event: the input of a workflow, as
// written under `with:`.
type Template struct {
	// parts alternate constant JSON and computed values, in order.
	parts    []part
	constant []byte
	computed []string
}

// part is constant JSON, followed by what run computes, if anything.
type part struct {
	literal []byte
	run     *program
	// within: the value stands inside a string, with text around it.
	within bool
	path   []string
}

// Template compiles a value as YAML or JSON decode it: maps with string keys,
// lists, strings, numbers, bools and null. In its strings, ${{ expression }}
// is computed: alone it keeps its type, with text around it the whole is a
// string. Mistakes come back as Errors, those of all strings together.
func (e *Env) Template(value any) (*Template, error) {
	b := builder{env: e}
	b.value(nil, value)
	b.flush(part{})
	if b.errs != nil {
		return nil, b.errs
	}
	t := &Template{parts: b.parts}
	t.constant, t.computed = constantPart(value)
	return t, nil
}

// Render makes the JSON for one event. An error names the place in the
// template.
func (t *Template) Render(ev *event.Event) ([]byte, error) {
	e := encoder{buf: make([]byte, 0, 256)}
	for i := range t.parts {
		p := &t.parts[i]
		e.buf = append(e.buf, p.literal...)
		if p.run == nil {
			continue
		}
		if err := p.render(&e, ev); err != nil {
			return nil, p.explain(err)
		}
	}
	if len(e.buf) > maxOutput {
		return nil, errTooLarge
	}
	return e.buf, nil
}

func (p *part) explain(err error) error {
	if len(p.path) == 0 {
		return err
	}
	return fmt.Errorf("%s: %w", strings.Join(p.path, "."), err)
}

func (p *part) render(e *encoder, ev *event.Event) error {
	v, err := p.run.eval(ev)
	if err != nil {
		return err
	}
	if !p.within {
		return e.value(v)
	}
	return e.inside(v)
}

// inside writes a value into an open string: a scalar as its text, anything
// else as its JSON.
func (e *encoder) inside(v ref.Val) error {
	text, err := textOf(v)
	if err != nil {
		sub := encoder{}
		if err := sub.value(v); err != nil {
			return err
		}
		text = strings.Trim(string(sub.buf), `"`)
	}
	if err := e.room(len(text)); err != nil {
		return err
	}
	e.buf = appendEscaped(e.buf, text)
	return nil
}

// Constant is the part of the value that no event changes, as a JSON object,
// and the keys of the entries left out because something in them is computed.
// It is nil for a value that is not a map.
func (t *Template) Constant() (constant []byte, computed []string) {
	return t.constant, t.computed
}

func constantPart(value any) (constant []byte, computed []string) {
	entries, ok := value.(map[string]any)
	if !ok {
		return nil, nil
	}
	e := encoder{}
	rest := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		if isComputed(entries[key]) {
			computed = append(computed, key)
		} else {
			rest[key] = entries[key]
		}
	}
	// What cannot be encoded was refused when the template was built.
	_ = e.native(rest)
	return e.buf, computed
}

func isComputed(value any) bool {
	switch v := value.(type) {
	case string:
		return strings.Contains(v, open)
	case []any:
		return slices.ContainsFunc(v, isComputed)
	case map[string]any:
		return slices.ContainsFunc(slices.Collect(maps.Values(v)), isComputed)
	}
	return false
}

// builder compiles a value into parts. literal gathers constant JSON until the
// next computed value.
type builder struct {
	env     *Env
	literal bytes.Buffer
	parts   []part
	errs    Errors
}

func (b *builder) flush(p part) {
	p.literal = bytes.Clone(b.literal.Bytes())
	b.literal.Reset()
	b.parts = append(b.parts, p)
}

func (b *builder) fail(path []string, err error) {
	errs, ok := err.(Errors)
	if !ok {
		errs = Errors{{Line: 1, Column: 1, Message: err.Error()}}
	}
	for _, e := range errs {
		e.Path = slices.Clone(path)
	}
	b.errs = append(b.errs, errs...)
}

func (b *builder) value(path []string, value any) {
	switch v := value.(type) {
	case string:
		b.text(path, v)
	case []any:
		b.list(path, v)
	case map[string]any:
		b.mapping(path, v)
	default:
		b.scalar(path, v)
	}
}

func (b *builder) scalar(path []string, value any) {
	e := encoder{}
	if err := e.native(value); err != nil {
		b.fail(path, err)
		return
	}
	if !json.Valid(e.buf) {
		b.fail(path, fmt.Errorf("%v is not a JSON value", value))
	}
	b.literal.Write(e.buf)
}

func (b *builder) list(path []string, items []any) {
	b.literal.WriteByte('[')
	for i, item := range items {
		if i > 0 {
			b.literal.WriteByte(',')
		}
		b.value(append(path, strconv.Itoa(i)), item)
	}
	b.literal.WriteByte(']')
}

func (b *builder) mapping(path []string, entries map[string]any) {
	b.literal.WriteByte('{')
	for i, key := range slices.Sorted(maps.Keys(entries)) {
		inner := append(path, key)
		if strings.Contains(key, open) {
			b.fail(inner, fmt.Errorf("a key cannot be computed"))
		}
		if i > 0 {
			b.literal.WriteByte(',')
		}
		b.literal.Write(appendEscaped([]byte{'"'}, key))
		b.literal.WriteString(`":`)
		b.value(inner, entries[key])
	}
	b.literal.WriteByte('}')
}

// text compiles one string.
func (b *builder) text(path []string, s string) {
	pieces, err := cut(s)
	if err != nil {
		b.fail(path, err)
		return
	}
	if len(pieces) == 1 && pieces[0].computed {
		b.expression(path, s, pieces[0], false)
		return
	}
	b.literal.WriteByte('"')
	for _, p := range pieces {
		if p.computed {
			b.expression(path, s, p, true)
		} else {
			b.literal.Write(appendEscaped(nil, p.text))
		}
	}
	b.literal.WriteByte('"')
}

func (b *builder) expression(path []string, s string, p piece, within bool) {
	run, err := b.env.compile(s, p.text, p.at, isAny)
	if err != nil {
		b.fail(path, err)
		return
	}
	b.flush(part{run: run, within: within, path: slices.Clone(path)})
}
