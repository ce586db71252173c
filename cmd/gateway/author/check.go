package author

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/event-gateway/gateway/cmd/gateway/report"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/plugins/sdk/sdktest"
)

// check is one call of `gateway engines check`.
type check struct {
	file    string
	timeout time.Duration
	flags   questions
	env     map[string]string
}

func (d *Desk) checkCommand() *cobra.Command {
	var c check
	var q questions
	var command []string
	cmd := &cobra.Command{
		Use: "check [BINARY [ARG…]]", Short: "Start an engine as the gateway would, and try every promise of the contract",
		Long: `Start an engine as the gateway would, and try every promise of the contract. The
engine may be any program: ./my-engine, ./engine.js, or: python3 engine.py. What
it is asked stands in engine-check.yaml, where all keys may be left out:

  command: [./my-engine]
  env: {NAME: value}
  config: {dir: ./data}      # one that it takes
  bad_config: {dirs: 7}      # one that it refuses
  workflow: greet            # one that succeeds soon; default: the first listed that needs no input
  input: {name: Ada}         # with this input
  slow: nap                  # one that goes on for a minute unless cancelled
  slow_input: {minutes: 5}   # with this input; default: input
  asks: approve              # one that waits for an answer
  asks_input: {order: 7}     # with this input; default: input
  answer: true               # and succeeds with this one; default: input

Flags stand before the file, and before BINARY. Exit code 1: a promise is broken.`,
		Example: `  gateway engines check ./my-engine
  gateway engines check --workflow greet --slow nap --engine-config '{"dir": "."}' ./my-engine --verbose`,
		PreRunE: func(cmd *cobra.Command, args []string) (err error) {
			if q, err = c.questions(cmd.Flags()); err == nil {
				command, err = q.program(args)
			}
			return err
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), c.timeout)
			defer cancel()
			return d.check(ctx, q.options(command))
		},
	}
	c.addFlags(cmd.Flags())
	return cmd
}

func (c *check) addFlags(f *pflag.FlagSet) {
	f.SetInterspersed(false) // what follows BINARY is for it
	f.StringVarP(&c.file, "file", "f", "", "what the engine is asked (default engine-check.yaml, if it is there)")
	f.DurationVar(&c.timeout, "timeout", 10*time.Minute, "give up after so long")
	f.StringToStringVar(&c.env, "env", nil, "environment of the engine; it gets no other but PATH")
	f.Var(text{&c.flags.Config}, "engine-config", "configuration that it takes: JSON, or @file")
	f.Var(text{&c.flags.BadConfig}, "bad-config", "configuration that it refuses")
	f.StringVar(&c.flags.Workflow, "workflow", "", "workflow that succeeds soon (default: the first listed that needs no input)")
	f.Var(text{&c.flags.Input}, "input", "its input")
	f.StringVar(&c.flags.Slow, "slow", "", "workflow that goes on for a minute unless cancelled")
	f.Var(text{&c.flags.SlowInput}, "slow-input", "its input (default: --input)")
	f.StringVar(&c.flags.Asks, "asks", "", "workflow that waits for an answer")
	f.Var(text{&c.flags.AsksInput}, "asks-input", "its input (default: --input)")
	f.Var(text{&c.flags.Answer}, "answer", "the answer (default: --input)")
}

// questions are those of the file, where no flag says otherwise.
func (c *check) questions(f *pflag.FlagSet) (questions, error) {
	q, err := read(c.file)
	if err != nil {
		return q, err
	}
	if q.Env == nil {
		q.Env = map[string]string{}
	}
	for name, value := range c.env {
		q.Env[name] = value
	}
	set := map[string]func(){
		"engine-config": func() { q.Config = c.flags.Config },
		"bad-config":    func() { q.BadConfig = c.flags.BadConfig },
		"workflow":      func() { q.Workflow = c.flags.Workflow },
		"input":         func() { q.Input = c.flags.Input },
		"slow":          func() { q.Slow = c.flags.Slow },
		"slow-input":    func() { q.SlowInput = c.flags.SlowInput },
		"asks":          func() { q.Asks = c.flags.Asks },
		"asks-input":    func() { q.AsksInput = c.flags.AsksInput },
		"answer":        func() { q.Answer = c.flags.Answer },
	}
	f.Visit(func(flag *pflag.Flag) {
		if set[flag.Name] != nil {
			set[flag.Name]()
		}
	})
	return q, nil
}

// check tells each verdict when it is there. An engine that doesn't come up is
// tried no further.
func (d *Desk) check(ctx context.Context, o sdktest.Options) error {
	r := report.Conformance{Engine: o.Command}
	for v := range sdktest.Check(ctx, o) {
		shown := r.Add(v)
		if d.Format == "table" {
			report.Verdict(d.Screen, shown)
		}
		if r.Hopeless() {
			break
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("check: not all was tried: %w", err)
	}
	if err := d.Show(r, func() { report.Sum(d.Screen, r) }); err != nil {
		return err
	}
	if r.Broken > 0 {
		return screen.ErrSaid
	}
	return nil
}
