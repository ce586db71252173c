package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/author"
	"github.com/event-gateway/gateway/cmd/gateway/operate"
	"github.com/event-gateway/gateway/cmd/gateway/rehearse"
)

func (a *app) enginesCommand() *cobra.Command {
	author := &author.Desk{Screen: &a.Screen, Version: currentBuild().Version}
	return group("engines", "Look at engines, pin them, write and check them", slices.Concat(a.desk().Engines(), author.Commands())...)
}

func (a *app) desk() *operate.Desk {
	return &operate.Desk{Screen: &a.Screen, Client: a.client, Read: a.readData, Warn: a.warn, Config: a.configFile}
}

func (a *app) rehearsal() *rehearse.Desk {
	return &rehearse.Desk{Screen: &a.Screen, Err: a.err, Client: a.client, Config: a.configFile, Usage: usage}
}
