package main

import "github.com/spf13/cobra"

func (a *app) enginesCommand() *cobra.Command {
	return group("engines", "Look at engines, pin them", a.enginesList(), a.enginesLogs(), a.enginesLock())
}
