package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/event-gateway/gateway/plugins/sdk"
)

// need is a place in the input that a placeholder names.
type need struct {
	part  part
	place string // url, body, headers.X-Order
	text  bool   // only what has a text will do
}

// needs are all of a request.
func (q *request) needs() (out []need) {
	add := func(t template, place string, text bool) {
		for _, p := range t {
			if p.name != nil && p.name[0] == "input" {
				out = append(out, need{p, place, text})
			}
		}
	}
	add(q.url.url, "url", true)
	for _, h := range q.headers {
		add(h.value, "headers."+h.name, true)
	}
	walk(q.body.tree, func(t template) { add(t, "body", len(t) > 1) })
	return out
}

func walk(node any, visit func(template)) {
	switch n := node.(type) {
	case template:
		visit(n)
	case []any:
		for _, item := range n {
			walk(item, visit)
		}
	case map[string]any:
		for _, key := range sorted(n) {
			walk(n[key], visit)
		}
	}
}

// whole is whether the request carries all of the input, so that any key of
// it is of use.
func (q *request) whole() bool {
	carried := q.body.tree == nil && (q.body.word == "" || q.body.word == bodyInput || q.body.word == bodyEnvelope)
	return carried || slices.ContainsFunc(q.needs(), func(n need) bool { return len(n.part.name) == 1 })
}

// check finds what a request needs and `with:` does not make, and what it
// makes for nothing. A `with:` that is one expression tells nothing before
// there is an event.
func (q *request) check(r sdk.Route) error {
	var constant map[string]any
	if len(r.Input) == 0 || decode(r.Input, &constant) != nil {
		return nil
	}
	var problems []error
	add := func(path []string, format string, args ...any) {
		problems = append(problems, sdk.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	used := map[string]bool{}
	for _, n := range q.needs() {
		if len(n.part.name) == 1 {
			continue
		}
		keys := n.part.name[1:]
		used[keys[0]] = true
		if slices.Contains(r.Computed, keys[0]) {
			continue
		}
		value, err := at(constant, keys)
		if err != nil {
			add(nil, "with has no %q, which %s of the request %q uses", strings.Join(keys, "."), n.place, q.name)
		} else if _, err = scalar(value); err != nil && n.text {
			add(keys, "%s, for %s of the request %q", err, n.place, q.name)
		}
	}
	if !q.whole() {
		for _, key := range slices.Sorted(slices.Values(append(sorted(constant), r.Computed...))) {
			if !used[key] {
				add([]string{key}, "nothing in the request %q uses it", q.name)
			}
		}
	}
	return errors.Join(problems...)
}

// schema is what needs say of the input; empty when that is nothing.
func (q *request) schema() json.RawMessage {
	properties, required := map[string]any{}, []string{}
	for _, n := range q.needs() {
		if len(n.part.name) == 1 {
			continue
		}
		key, about := n.part.name[1], map[string]any{}
		if n.text && len(n.part.name) == 2 {
			about["type"] = []string{"string", "number", "boolean"}
		}
		if _, there := properties[key]; !there {
			required = append(required, key)
			properties[key] = about
		}
		if len(about) > 0 {
			properties[key] = about
		}
	}
	if len(required) == 0 {
		return nil
	}
	return object(map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": q.whole()})
}
