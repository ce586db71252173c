package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway"
	"github.com/event-gateway/gateway/gateway/config"
)

func (a *app) validateCommand() *cobra.Command {
	var opts config.Options
	c := &cobra.Command{
		Use: "validate [FILE]", Short: "Check a configuration as a reload would, without touching anything", Args: cobra.MaximumNArgs(1),
		Long: `Check a configuration as a reload would, without touching anything. Every
problem is printed with its place. The exit code is 1 when there is an error;
warnings let a configuration through.`,
		RunE: func(_ *cobra.Command, args []string) error {
			path, _ := a.configPath()
			if len(args) > 0 {
				path = args[0]
			}
			return a.validate(path, opts)
		},
	}
	c.Flags().BoolVar(&opts.Strict, "strict", false, "secrets written into the file are errors")
	c.Flags().BoolVar(&opts.NoSecrets, "no-secrets", false, "let unset variables and missing secret files through: for CI")
	return c
}

func (a *app) validate(path string, opts config.Options) error {
	problems, err := gateway.Validate(path, opts)
	if err != nil {
		return err
	}
	if problems == nil {
		problems = config.Problems{} // [] and not null
	}
	if err := a.Show(problems, func() { fmt.Fprint(a.Out, screen.Block(problems.Text())) }); err != nil {
		return err
	}
	if problems.Failed() {
		return &failure{code: exitFailed}
	}
	fmt.Fprintf(a.err, "%s is valid\n", path)
	return nil
}
