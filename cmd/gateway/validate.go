package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/report"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway"
	"github.com/event-gateway/gateway/gateway/api/steer"
	"github.com/event-gateway/gateway/gateway/config"
)

func (a *app) validateCommand() *cobra.Command {
	var opts config.Options
	next := 0
	c := &cobra.Command{
		Use: "validate [FILE]", Short: "Check a configuration as a reload would, without touching anything", Args: cobra.MaximumNArgs(1),
		Long: `Check a configuration as a reload would, without touching anything. Every
problem is printed with its place. The exit code is 1 when there is an error;
warnings let a configuration through. With --next N, and as JSON, it tells when
the schedules fire next.`,
		RunE: func(_ *cobra.Command, args []string) error {
			path, _ := a.configPath()
			if len(args) > 0 {
				path = args[0]
			}
			return a.validate(path, opts, next)
		},
	}
	c.Flags().BoolVar(&opts.Strict, "strict", false, "secrets written into the file are errors")
	c.Flags().BoolVar(&opts.NoSecrets, "no-secrets", false, "let unset variables and missing secret files through: for CI")
	c.Flags().IntVar(&next, "next", next, "show this many next firings of each schedule, at most 100")
	return c
}

// shownNext is how many firings a program is told that did not ask.
const shownNext = 3

// validation is what is found out about a configuration.
type validation struct {
	Problems  config.Problems  `json:"problems"`
	Schedules []steer.Schedule `json:"schedules"`
}

func (a *app) validate(path string, opts config.Options, next int) error {
	if next < 0 || next > 100 {
		return usage("--next %d is not a number from 0 to 100", next)
	}
	tell := next
	if tell == 0 {
		tell = shownNext
	}
	problems, schedules := gateway.Validate(path, opts, tell)
	found := validation{Problems: problems, Schedules: schedules}
	if problems == nil {
		found.Problems = config.Problems{} // [] and not null
	}
	err := a.Show(found, func() {
		fmt.Fprint(a.Out, screen.Block(problems.Text()))
		if next > 0 && len(schedules) > 0 {
			report.Schedules(&a.Screen, schedules)
		}
	})
	if err != nil {
		return err
	}
	if problems.Failed() {
		return &failure{code: exitFailed}
	}
	fmt.Fprintf(a.err, "%s is valid\n", path)
	return nil
}
