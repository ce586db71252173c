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

// template is a text with placeholders: {key}, {workflow}, {event.type},
// {input.order.id}. Braces around anything that is not a name stand for
// themselves, because a secret that was put into the text may hold some.
type template []part

// part is a literal, or the name of a placeholder.
type part struct {
	literal string
	name    []string
}

// eventNames are what placeholders may take of the event. What else of it a
// request needs, the route's `with:` takes out of it, with all of CEL.
func eventNames() []string {
	return []string{"id", "source", "type", "subject", "time", "datacontenttype"}
}

// parse never quotes the text, which may hold secrets.
func parse(text string) (template, error) {
	var t template
	literal := 0
	for i := 0; i < len(text); i++ {
		if text[i] != '{' {
			continue
		}
		name, _, closed := strings.Cut(text[i+1:], "}")
		if !closed || !isName(name) {
			continue
		}
		words := strings.Split(name, ".")
		if !known(words) {
			return nil, fmt.Errorf("has a placeholder that is none of {key}, {workflow}, {input.…} and {event.…} (%s)", strings.Join(eventNames(), ", "))
		}
		t = append(t, part{literal: text[literal:i]}, part{name: words})
		literal = i + len(name) + 2
		i = literal - 1
	}
	t = append(t, part{literal: text[literal:]})
	return slices.DeleteFunc(t, func(p part) bool { return p.name == nil && p.literal == "" }), nil
}

func isName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '.' && r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

func known(name []string) bool {
	switch name[0] {
	case "key", "workflow":
		return len(name) == 1
	case "event":
		return len(name) == 2 && slices.Contains(eventNames(), name[1])
	case "input":
		return !slices.Contains(name, "")
	}
	return false
}

func (p part) String() string { return "{" + strings.Join(p.name, ".") + "}" }

// text fills the template; escape is applied to what comes from the run.
func (t template) text(v values, escape func(string) (string, error)) (string, error) {
	var b strings.Builder
	for _, p := range t {
		if p.name == nil {
			b.WriteString(p.literal)
			continue
		}
		s, err := v.text(p)
		if err == nil {
			s, err = escape(s)
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", p, err)
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

// values are what placeholders stand for in one run.
type values struct {
	run   *sdk.Request
	input any
}

func valuesOf(r *sdk.Request) (values, error) {
	v := values{run: r}
	if len(r.Input) == 0 {
		return v, nil
	}
	err := decode(r.Input, &v.input)
	if err != nil {
		err = fmt.Errorf("input: %w", err)
	}
	return v, err
}

// decode keeps numbers as they are written.
func decode(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(into)
}

// value is what a placeholder stands for, of any kind.
func (v values) value(p part) (any, error) {
	e := &v.run.Event
	switch strings.Join(p.name[:min(2, len(p.name))], ".") {
	case "key":
		return v.run.Key, nil
	case "workflow":
		return v.run.Workflow, nil
	case "event.id":
		return e.ID, nil
	case "event.source":
		return e.Source, nil
	case "event.type":
		return e.Type, nil
	case "event.subject":
		return e.Subject, nil
	case "event.time":
		return e.Time.UTC().Format(time.RFC3339Nano), nil
	case "event.datacontenttype":
		return e.ContentType, nil
	}
	return at(v.input, p.name[1:])
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

func (v values) text(p part) (string, error) {
	value, err := v.value(p)
	if err != nil {
		return "", err
	}
	return scalar(value)
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
	case nil:
		return "", errors.New("is null")
	}
	return "", errors.New("is neither a text, a number, nor true or false")
}
