package main

import (
	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/author"
)

func (a *app) enginesCommand() *cobra.Command {
	desk := &author.Desk{Screen: &a.Screen, Version: currentBuild().Version}
	return group("engines", "Look at engines, pin them, write and check them",
		append([]*cobra.Command{a.enginesList(), a.enginesLogs(), a.enginesLock()}, desk.Commands()...)...)
}
