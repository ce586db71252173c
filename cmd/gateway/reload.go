package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/remote"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/api"
	"github.com/event-gateway/gateway/gateway/config"
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
		printProblems(a.err, p.Errors)
		fmt.Fprintf(a.err, "gateway: %s\n", screen.Line(p.Detail))
	})
	if err != nil {
		return err
	}
	return &failure{code: exitFailed}
}

// printProblems prints them as validate does, without the source lines: those
// are where the gateway is.
func printProblems(w io.Writer, problems []api.ConfigProblem) {
	for _, p := range problems {
		line := config.Problem{File: p.File, Line: p.Line, Col: p.Col, Path: p.Path,
			Message: p.Message, Hint: p.Hint, Severity: config.Severity(p.Severity)}
		fmt.Fprintln(w, screen.Line(line.String()))
	}
}

func (a *app) printReload(r api.ReloadResult) {
	printProblems(a.err, r.Problems)
	if !r.Changed {
		fmt.Fprintf(a.Out, "nothing changed; revision %s stays live\n", revision(r.Revision))
		return
	}
	fmt.Fprintf(a.Out, "revision %s is live\n", revision(r.Revision))
	for _, d := range r.Differences {
		fmt.Fprintf(a.Out, "  %s\n", screen.Line(d))
	}
}

// revision is short enough to read and long enough to tell two apart.
func revision(hash string) string {
	const shown = 12
	if len(hash) > shown && strings.Trim(hash, "0123456789abcdef") == "" {
		return hash[:shown]
	}
	return screen.OrDash(hash)
}
