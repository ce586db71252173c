package sdk

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
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
	if err := errors.Join(mistakes(reflect.TypeOf(v), tree, nil)...); err != nil {
		return err
	}
	return json.Unmarshal(c.JSON, v)
}

// configured is whether the user wrote anything.
func (c *Config) configured() bool {
	b := bytes.TrimSpace(c.JSON)
	return len(b) > 0 && string(b) != "null" && string(b) != "{}"
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
