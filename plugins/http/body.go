package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/event-gateway/gateway/plugins/sdk"
)

// The words that `body:` may be; anything else is a mapping or a list with
// templates for texts.
const (
	bodyInput    = "input"    // what `with:` made
	bodyEvent    = "event"    // the event's bytes, as they came
	bodyEnvelope = "envelope" // all that is known, as one JSON object
	bodyNone     = "none"
)

// body is what a request carries.
type body struct {
	word string // empty: the input, and without one the event
	tree any    // set instead: mappings, lists, templates and constants
}

func parseBody(value any, method string) (body, error) {
	bodiless := method == "GET" || method == "HEAD"
	switch v := value.(type) {
	case nil:
		if bodiless {
			return body{word: bodyNone}, nil
		}
		return body{}, nil
	case string:
		if v != bodyInput && v != bodyEvent && v != bodyEnvelope && v != bodyNone {
			return body{}, errors.New("want input, event, envelope, none, or a mapping")
		}
		if bodiless && v != bodyNone {
			return body{}, fmt.Errorf("a %s carries none", method)
		}
		return body{word: v}, nil
	case map[string]any, []any:
		if bodiless {
			return body{}, fmt.Errorf("a %s carries none", method)
		}
		tree, err := compile(v)
		return body{tree: tree}, err
	}
	return body{}, errors.New("want input, event, envelope, none, or a mapping")
}

// compile replaces the texts of a tree with templates.
func compile(value any) (any, error) {
	switch v := value.(type) {
	case string:
		return parse(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			var err error
			if out[i], err = compile(v[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := maps.Clone(v)
		for _, key := range sorted(v) {
			var err error
			if out[key], err = compile(v[key]); err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
		}
		return out, nil
	}
	return value, nil
}

// fill makes the bytes of one run and tells their media type. They are the
// same for every attempt: a service may compare what comes with one key.
func (b body) fill(v values) (content []byte, mediaType string, err error) {
	word := b.word
	if word == "" && b.tree == nil {
		word = bodyInput
		if len(v.run.Input) == 0 {
			word = bodyEvent
		}
	}
	const asJSON = "application/json"
	switch word {
	case bodyNone:
		return nil, "", nil
	case bodyEvent:
		return v.run.Event.Body, v.run.Event.ContentType, nil
	case bodyInput:
		if len(v.run.Input) == 0 {
			return []byte("null"), asJSON, nil
		}
		return v.run.Input, asJSON, nil
	case bodyEnvelope:
		content, err = encode(envelope(v.run))
		return content, asJSON, err
	}
	tree, err := fillTree(b.tree, v)
	if err != nil {
		return nil, "", err
	}
	content, err = encode(tree)
	return content, asJSON, err
}

// fillTree fills the templates of a tree. One that is a placeholder and
// nothing else keeps the kind of its value.
func fillTree(node any, v values) (any, error) {
	switch n := node.(type) {
	case template:
		if len(n) == 1 && n[0].name != nil {
			value, err := v.value(n[0])
			if err != nil {
				err = fmt.Errorf("%s: %w", n[0], err)
			}
			return value, err
		}
		return n.text(v, func(s string) (string, error) { return s, nil })
	case []any:
		out := make([]any, len(n))
		for i := range n {
			var err error
			if out[i], err = fillTree(n[i], v); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(n))
		for key := range n {
			var err error
			if out[key], err = fillTree(n[key], v); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return node, nil
}

// encode leaves <, > and & as they are: nobody reads this as HTML.
func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(value)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// envelope is what a program of the engine exec reads, but for the attempt,
// with which the bytes would change.
func envelope(r *sdk.Request) any {
	e := &r.Event
	return struct {
		Key      string          `json:"key"`
		Workflow string          `json:"workflow"`
		Event    any             `json:"event"`
		Input    json.RawMessage `json:"input,omitempty"`
	}{r.Key, r.Workflow, struct {
		ID          string            `json:"id"`
		Source      string            `json:"source"`
		Type        string            `json:"type"`
		Subject     string            `json:"subject,omitempty"`
		Time        time.Time         `json:"time"`
		ContentType string            `json:"datacontenttype,omitempty"`
		Data        any               `json:"data"`
		Headers     map[string]string `json:"headers,omitempty"`
		Query       map[string]string `json:"query,omitempty"`
		Extensions  map[string]string `json:"extensions,omitempty"`
	}{e.ID, e.Source, e.Type, e.Subject, e.Time, e.ContentType, data(e), e.Headers, e.Query, e.Extensions}, r.Input}
}

// data is null without a body, and a string should a body claim to be JSON
// that is none.
func data(e *sdk.Event) any {
	switch d := e.Data(); {
	case len(d) == 0:
		return nil
	case json.Valid(d):
		return d
	default:
		return string(d)
	}
}
