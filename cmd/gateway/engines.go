package main

import (
	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/author"
)

func (a *app) enginesCommand() *cobra.Command {
	desk := &author.Desk{Screen: &a.Screen, Version: currentBuild().Version}
	return group("engines", "Write an engine, and check whether it keeps the contract", desk.Commands()...)
}
