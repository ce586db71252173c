package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/report"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/api/declare"
)

func (a *app) configCommand() *cobra.Command {
	return group("config", "Look at the configuration of a running gateway", a.configExport())
}

func (a *app) configExport() *cobra.Command {
	return &cobra.Command{
		Use: "export", Short: "Print as YAML what was subscribed and scheduled over the API", Args: cobra.NoArgs,
		Long: "Print as YAML what was subscribed and scheduled over the API, to be put into the file.\n" +
			"The file's entries count from then on; delete those of the API when it is in force.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			var r declare.Report
			if err := c.Get(cmd.Context(), "/api/v1/overlay", nil, &r); err != nil {
				return err
			}
			for _, e := range r.Entries {
				if !e.InForce {
					fmt.Fprintf(a.err, "gateway: %s was set aside and is left out\n", screen.Line(e.Name))
					report.Problems(a.err, e.Problems)
				}
			}
			return a.Show(r, func() { _, _ = io.WriteString(a.Out, r.YAML) })
		},
	}
}
