package main

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/report"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/api"
	"github.com/event-gateway/gateway/gateway/api/engines"
)

func (a *app) enginesList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "Show the engines of a running gateway: state, version, checksum, restarts", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			var list map[string][]api.EngineStatus
			if err := c.Get(cmd.Context(), "/api/v1/engines", nil, &list); err != nil {
				return err
			}
			return a.Show(list, func() { report.Engines(&a.Screen, list["engines"]) })
		},
	}
}

func (a *app) enginesLogs() *cobra.Command {
	lines, follow := 100, false
	c := &cobra.Command{
		Use: "logs NAME", Short: "Show what an engine printed last; with -f go on", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.showLog(cmd.Context(), args[0], lines, follow) },
	}
	c.Flags().IntVar(&lines, "lines", lines, "how many lines at first, at most 500")
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on printing what it prints")
	return c
}

// followEvery is how often a gateway is asked for more.
const followEvery = time.Second

func (a *app) showLog(ctx context.Context, name string, lines int, follow bool) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	q := url.Values{"limit": {strconv.Itoa(lines)}}
	for {
		var page engines.EngineLog
		if err := c.Get(ctx, "/api/v1/engines/"+url.PathEscape(name)+"/logs", q, &page); err != nil {
			return err
		}
		if err := a.printLog(page, follow); err != nil || !follow {
			return err
		}
		q = url.Values{"limit": {"1000"}, "after": {strconv.FormatInt(page.Next, 10)}}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followEvery):
		}
	}
}

func (a *app) printLog(page engines.EngineLog, follow bool) error {
	if !follow {
		return a.Show(page, func() { a.logLines(page.Lines...) })
	}
	for _, line := range page.Lines {
		if err := a.ShowEach(line, func() { a.logLines(line) }); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) logLines(lines ...engines.LogLine) {
	styles := map[string]screen.Style{"debug": screen.Dim, "warn": screen.Yellow, "error": screen.Red}
	for _, line := range lines {
		fmt.Fprintf(a.Out, "%s %s %s\n", line.At.Local().Format("15:04:05.000"),
			a.Paint(styles[line.Level], fmt.Sprintf("%-5s", line.Level)), screen.Line(line.Text))
	}
}
