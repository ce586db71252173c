package main

import (
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/remote"
	"github.com/event-gateway/gateway/cmd/gateway/report"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/api"
)

func (a *app) reloadCommand() *cobra.Command {
	return &cobra.Command{
		Use: "reload", Short: "Have a running gateway read its configuration again, and wait for the answer", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			text, err := c.Call(cmd.Context(), http.MethodPost, remote.ReloadPath, nil)
			if p, ok := remote.ProblemIn(err); ok && len(p.Errors) > 0 {
				return a.refusedReload(p)
			}
			if err != nil {
				return err
			}
			var result api.ReloadResult
			if err := remote.Decode(text, &result); err != nil {
				return err
			}
			return a.Show(result, func() { a.printReload(result) })
		},
	}
}

func (a *app) refusedReload(p *api.Problem) error {
	err := a.Show(p, func() {
		report.Problems(a.err, p.Errors)
		fmt.Fprintf(a.err, "gateway: %s\n", screen.Line(p.Detail))
	})
	if err != nil {
		return err
	}
	return &failure{code: exitFailed}
}

func (a *app) printReload(r api.ReloadResult) {
	report.Problems(a.err, r.Problems)
	if !r.Changed {
		fmt.Fprintf(a.Out, "nothing changed; revision %s stays live\n", report.Revision(r.Revision))
		return
	}
	fmt.Fprintf(a.Out, "revision %s is live\n", report.Revision(r.Revision))
	for _, d := range r.Differences {
		fmt.Fprintf(a.Out, "  %s\n", screen.Line(d))
	}
}
