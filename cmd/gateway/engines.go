package main

import (
	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/operate"
)

func (a *app) enginesCommand() *cobra.Command {
	return group("engines", "Look at engines, pin them", a.desk().Engines()...)
}

func (a *app) desk() *operate.Desk {
	return &operate.Desk{Screen: &a.Screen, Client: a.client, Read: a.readData, Warn: a.warn, Config: func() string {
		path, _ := a.configPath()
		return path
	}}
}
