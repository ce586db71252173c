package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/event-gateway/gateway/plugins/sdk"
)

// template is the id of a workflow with placeholders, spelled as those of the
// engine http: {key}, {workflow}, {event.type}, {input.order.id}. Literals
// stand at even places, names of placeholders at odd ones.
type template []string

// eventNames are what placeholders may take of the event.
func eventNames() []string { return []string{"id", "source", "type", "subject", "time"} }

func parse(text string) (template, error) {
	t := template{}
	for {
		literal, rest, open := strings.Cut(text, "{")
		name, after, closed := strings.Cut(rest, "}")
		switch {
		case !open:
			return append(t, literal), nil
		case !closed || !known(name):
			return nil, fmt.Errorf("has a placeholder that is none of {key}, {workflow}, {input.…} and {event.…} (%s)", strings.Join(eventNames(), ", "))
		}
		t, text = append(t, literal, name), after
	}
}

func known(name string) bool {
	if name == "key" || name == "workflow" {
		return true
	}
	of, key, _ := strings.Cut(name, ".")
	if of == "input" {
		return !slices.Contains(strings.Split(key, "."), "")
	}
	return of == "event" && slices.Contains(eventNames(), key)
}

// fill makes the id of one run.
func (t template) fill(r *sdk.Request) (string, error) {
	var input any
	if len(r.Input) > 0 {
		if err := decode(r.Input, &input); err != nil {
			return "", fmt.Errorf("input: %w", err)
		}
	}
	var b strings.Builder
	for i, part := range t {
		if i%2 == 1 {
			text, err := value(part, r, input)
			if err == nil && text == "" {
				err = errors.New("is empty")
			}
			if err != nil {
				return "", fmt.Errorf("id: {%s}: %w", part, err)
			}
			part = text
		}
		b.WriteString(part)
	}
	return b.String(), nil
}

// decode keeps numbers as they are written.
func decode(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(into)
}

// value is the text that a placeholder stands for.
func value(name string, r *sdk.Request, input any) (string, error) {
	switch name {
	case "key":
		return r.Key, nil
	case "workflow":
		return r.Workflow, nil
	case "event.id":
		return r.Event.ID, nil
	case "event.source":
		return r.Event.Source, nil
	case "event.type":
		return r.Event.Type, nil
	case "event.subject":
		return r.Event.Subject, nil
	case "event.time":
		return r.Event.Time.UTC().Format(time.RFC3339Nano), nil
	}
	found, err := at(input, strings.Split(name, ".")[1:])
	if err != nil {
		return "", err
	}
	return scalar(found)
}

// at follows keys down a value.
func at(value any, keys []string) (any, error) {
	for _, key := range keys {
		m, _ := value.(map[string]any)
		next, there := m[key]
		if !there {
			return nil, errors.New("is not there")
		}
		value = next
	}
	return value, nil
}

// scalar is the text of what has one.
func scalar(value any) (string, error) {
	switch x := value.(type) {
	case string:
		return x, nil
	case json.Number:
		return x.String(), nil
	case bool:
		return fmt.Sprint(x), nil
	}
	return "", errors.New("is neither a text, a number, nor true or false")
}

// needs are the places in the input that the id takes, as lists of keys.
func (t template) needs() (out [][]string) {
	for i := 1; i < len(t); i += 2 {
		if keys := strings.Split(t[i], "."); keys[0] == "input" {
			out = append(out, keys[1:])
		}
	}
	return out
}

// check finds what the id needs and `with:` does not make. A `with:` that is
// one expression tells nothing before there is an event.
func (t template) check(r sdk.Route) error {
	var constant any
	if len(r.Input) == 0 || decode(r.Input, &constant) != nil {
		return nil
	}
	var problems []error
	for _, keys := range t.needs() {
		if slices.Contains(r.Computed, keys[0]) {
			continue
		}
		found, err := at(constant, keys)
		if err != nil {
			problems = append(problems, sdk.Problem{Message: fmt.Sprintf("with has no %q, which the id of the workflow %q uses", strings.Join(keys, "."), r.Workflow)})
		} else if _, err = scalar(found); err != nil {
			problems = append(problems, sdk.Problem{Path: keys, Message: err.Error() + ", for the id of the workflow"})
		}
	}
	return errors.Join(problems...)
}

// schema is what the id says of the input; empty when that is nothing.
func (t template) schema() json.RawMessage {
	properties := map[string]any{}
	var required []string
	for _, keys := range t.needs() {
		if _, there := properties[keys[0]]; !there {
			required = append(required, keys[0])
		}
		properties[keys[0]] = struct{}{}
	}
	if len(required) == 0 {
		return nil
	}
	b, _ := json.Marshal(map[string]any{"type": "object", "properties": properties, "required": required}) // texts and lists always encode
	return b
}
