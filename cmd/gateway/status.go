package main

import (
	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/report"
	"github.com/event-gateway/gateway/gateway/api"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show what is running and how it is", Args: cobra.NoArgs,
		Long: "Show what is running and how it is. The exit code is 1 when the gateway is not ready.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			var r api.StatusReport
			if err := c.Get(cmd.Context(), "/api/v1/status", nil, &r); err != nil {
				return err
			}
			if err := a.Show(r, func() { report.Status(&a.Screen, r) }); err != nil {
				return err
			}
			if !r.Ready {
				return &failure{code: exitFailed}
			}
			return nil
		},
	}
}
