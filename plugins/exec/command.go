//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/event-gateway/gateway/plugins/sdk"
	"github.com/event-gateway/gateway/plugins/sdk/wire"
)

// command is a program with its arguments.
type command struct {
	name    string
	argv    []string // the program is an absolute path
	workDir string
	env     map[string]string
	timeout time.Duration // 0 is none
}

func (c command) String() string { return strings.Join(c.argv, " ") }

// run runs the program once and reads what it made of it.
func (c command) run(ctx context.Context, reaper *reaper, r *sdk.Request, stdin []byte) (sdk.Result, error) {
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("timed out after %s", c.timeout))
		defer cancel()
	}
	out := &head{limit: maxObject}
	log := &lines{log: sdk.Logger().With("key", r.Key, "workflow", c.name)}
	p := process{
		cmd:    &exec.Cmd{Path: c.argv[0], Args: c.argv, Dir: c.workDir, Env: c.environ(r)},
		stdin:  stdin,
		stdout: out,
		stderr: log,
	}
	err := p.run(ctx, reaper)
	log.flush()
	if err != nil {
		return sdk.Result{}, verdict(ctx, err, log.last)
	}
	return sdk.Result{Output: out.output()}, nil
}

// The exits of sysexits.h that no second attempt will change.
const (
	exitUsage  = 64
	exitData   = 65
	exitConfig = 78
)

// verdict is what an unsuccessful end means. The last line of the standard
// error is, by custom, the reason.
func verdict(ctx context.Context, err error, last string) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	said := err
	if last != "" {
		said = fmt.Errorf("%w: %s", err, last)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if slices.Contains([]int{exitUsage, exitData, exitConfig}, exit.ExitCode()) {
			return sdk.Permanent(said)
		}
	}
	return said
}

// defaultPath is for an engine that was given none.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environ is PATH, the engine's own `env:`, the command's, and the event.
// Later entries win.
func (c command) environ(r *sdk.Request) []string {
	env := []string{"PATH=" + defaultPath}
	for _, v := range os.Environ() {
		if key, _, _ := strings.Cut(v, "="); !internal(key) {
			env = append(env, v)
		}
	}
	for _, key := range sorted(c.env) {
		env = append(env, key+"="+c.env[key])
	}
	return append(env,
		"GATEWAY_KEY="+clean(r.Key),
		"GATEWAY_ATTEMPT="+strconv.Itoa(r.Attempt),
		"GATEWAY_EVENT_ID="+clean(r.Event.ID),
		"GATEWAY_EVENT_TYPE="+clean(r.Event.Type),
		"GATEWAY_EVENT_SOURCE="+clean(r.Event.Source),
		"GATEWAY_EVENT_TIME="+r.Event.Time.Format(time.RFC3339Nano),
	)
}

// internal variables are between the gateway and its engine.
func internal(key string) bool {
	return strings.HasPrefix(key, "PLUGIN_") || strings.HasPrefix(key, "GATEWAY_") || key == wire.CookieKey
}

// clean removes what ends a variable early: a stranger chose the value, and
// a NUL would keep the program from starting.
func clean(s string) string { return strings.ReplaceAll(s, "\x00", "") }

// input is the one JSON object that a program reads.
func input(r *sdk.Request) ([]byte, error) {
	return json.Marshal(stdin{
		Key: r.Key, Workflow: r.Workflow, Attempt: r.Attempt, Input: r.Input,
		Event: stdinEvent{
			ID: r.Event.ID, Source: r.Event.Source, Type: r.Event.Type, Subject: r.Event.Subject,
			Time: r.Event.Time, ContentType: r.Event.ContentType, Data: data(&r.Event),
			Headers: r.Event.Headers, Query: r.Event.Query, Extensions: r.Event.Extensions,
		},
	})
}

type stdin struct {
	Key      string          `json:"key"`
	Workflow string          `json:"workflow"`
	Attempt  int             `json:"attempt"`
	Event    stdinEvent      `json:"event"`
	Input    json.RawMessage `json:"input,omitempty"`
}

type stdinEvent struct {
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
