// Package sdktest is the conformance suite of the engine contract: it starts
// an engine's program as the gateway would, in any language, and tells which
// promises it keeps. It stands beside the SDK, at the end of the flow.
//
// An author calls [Run] from a Go test; `gateway engines check` calls [Check].
package sdktest

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/event-gateway/gateway/plugins/sdk/sdktest/host"
)

// Options says which engine is examined and what it is asked.
type Options struct {
	// Command is the engine's program and its arguments.
	Command []string
	// Env is its environment, as in os/exec; nothing is inherited.
	Env []string
	// Config is a configuration that it takes; nil is none.
	Config json.RawMessage
	// BaseDir is the folder where relative paths in Config start, and where
	// the engine runs; empty is here.
	BaseDir string
	// Workflow succeeds with Input, soon. Without one it is the first that the
	// engine lists and that needs no input.
	Workflow string
	Input    json.RawMessage

	// BadConfig is one that it refuses; without it this is not tried.
	BadConfig json.RawMessage
	// Slow is a workflow that goes on with SlowInput for a minute at least,
	// unless it is cancelled; without it cancel, deadline, crash and whatever
	// else is about the middle of a run are not tried.
	Slow      string
	SlowInput json.RawMessage // Input when there is none
	// Asks is a workflow that waits with AsksInput for an answer, and succeeds
	// with Answer; without it this is not tried.
	Asks      string
	AsksInput json.RawMessage // Input when there is none
	Answer    json.RawMessage // Input when there is none
	// MaxMessage is the limit that is set, in bytes; 8 MiB when 0.
	MaxMessage int

	// nonce makes the keys of a trial new to an engine that remembers.
	nonce string
	// noSlow and noAsks tell why there is none, when there was one.
	noSlow, noAsks string
}

func (o Options) program() host.Program {
	return host.Program{Command: o.Command, Env: o.Env, Config: o.Config, BaseDir: o.BaseDir,
		MaxMessage: o.MaxMessage, Nonce: o.nonce}
}

// Verdict is what became of one promise.
type Verdict struct {
	// Name of the trial, the Promise that it tries, and Advice for an engine
	// that breaks it, in a sentence each.
	Name, Promise, Advice string
	// Err is nil when the promise was kept.
	Err error
	// Said is the end of what the engine wrote to its standard error in a
	// trial that it failed.
	Said string
	// Untried tells why there was no trial; empty when there was one.
	Untried string
	// Took is how long the trial ran.
	Took time.Duration
}

// Check tries every promise, one after the other, each when it is asked for.
func Check(ctx context.Context, o Options) iter.Seq[Verdict] {
	return func(yield func(Verdict) bool) {
		o := complete(ctx, o)
		for _, t := range trials() {
			if ctx.Err() != nil {
				return
			}
			v := t.try(ctx, o)
			if !yield(v) {
				return
			}
			o.learn(v)
		}
	}
}

// Run tries every promise as a subtest.
func Run(t *testing.T, o Options) {
	t.Helper()
	o = complete(t.Context(), o)
	for _, trial := range trials() {
		t.Run(trial.name, func(t *testing.T) {
			v := trial.try(t.Context(), o)
			if v.Untried != "" {
				t.Logf("not tried: %s", v.Untried)
			}
			if v.Err != nil {
				t.Errorf("%s: %v\n%s\nthe engine said: %s", v.Promise, v.Err, v.Advice, v.Said)
			}
			o.learn(v)
		})
	}
}

// learn says once that a workflow doesn't do what it is there for.
func (o *Options) learn(v Verdict) {
	switch {
	case v.Err == nil:
	case v.Name == "slow":
		o.Slow, o.noSlow = "", "no slow workflow that goes on: see the trial `slow`"
	case v.Name == "asks":
		o.Asks, o.noAsks = "", "no workflow that asks: see the trial `asks`"
	}
}

// trial tries one promise with a process of its own.
type trial struct {
	name, promise, advice string
	// needs tells what is missing that it can't be tried without.
	needs func(Options) (missing string)
	run   func(ctx context.Context, o Options) error
}

// patience bounds a trial.
const patience = 60 * time.Second

func (t trial) try(ctx context.Context, o Options) Verdict {
	v := Verdict{Name: t.name, Promise: t.promise, Advice: t.advice}
	if t.needs != nil {
		if v.Untried = t.needs(o); v.Untried != "" {
			return v
		}
	}
	o.nonce = rand.Text()[:8] + "-"
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no end after %s", patience))
	defer cancel()
	began := time.Now()
	v.Err = t.run(ctx, o)
	v.Took = time.Since(began)
	if said, ok := errors.AsType[*host.Spoken](v.Err); ok {
		v.Err, v.Said = said.Err, said.Said
	}
	if no, ok := errors.AsType[untried](v.Err); ok {
		v.Err, v.Untried = nil, string(no)
	}
	return v
}

// untried is why a trial turned out to be none.
type untried string

func (u untried) Error() string { return string(u) }

func slow(o Options) string { return missing(o.Slow != "", o.noSlow, "Slow") }

func asks(o Options) string { return missing(o.Asks != "", o.noAsks, "Asks") }

func badConfig(o Options) string { return missing(o.BadConfig != nil, "", "BadConfig") }

func missing(there bool, why, option string) string {
	if there {
		return ""
	}
	return cmp.Or(why, "no Options."+option)
}
