package main

import (
	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/revisions"
)

func (a *app) configCommand() *cobra.Command {
	desk := &revisions.Desk{Screen: &a.Screen, Err: a.err, Client: a.client, Config: func() string {
		path, _ := a.configPath()
		return path
	}}
	return group("config", "Look at the configuration of a gateway, and at those before it", desk.Commands()...)
}
