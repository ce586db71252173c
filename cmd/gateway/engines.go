package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/author"
)

// enginesCommand is for those who write engines.
func (a *app) enginesCommand() *cobra.Command {
	desk := &author.Desk{Screen: &a.Screen, Talk: a.err, Version: currentBuild().Version}
	verbs := desk.Commands()
	for _, v := range verbs {
		run := v.RunE
		v.RunE = func(c *cobra.Command, args []string) error {
			err := run(c, args)
			if errors.Is(err, author.ErrBroken) {
				return &failure{code: exitFailed} // it has been said
			}
			return err
		}
	}
	return group("engines", "Write an engine, and check whether it keeps the contract", verbs...)
}
