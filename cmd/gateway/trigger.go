package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/remote"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/api"
)

// triggerFlags say with what an event is triggered, and what is waited for.
type triggerFlags struct {
	data, key string
	wait      time.Duration
}

func (a *app) triggerCommand() *cobra.Command {
	var f triggerFlags
	c := &cobra.Command{
		Use: "trigger TYPE", Short: "Trigger an event, and wait for its workflows if asked to", Args: cobra.ExactArgs(1),
		Example: `  gateway trigger payment_received --data '{"order_id": "12345"}' --wait 30s
  gateway trigger nightly --idempotency-key "nightly of $(date +%F)"`,
		RunE: func(c *cobra.Command, args []string) error { return a.trigger(c.Context(), args[0], f) },
	}
	c.Flags().StringVarP(&f.data, "data", "d", "", "its data, any JSON: text, @file, or - for stdin")
	c.Flags().StringVar(&f.key, "idempotency-key", "", "the same `key` with the same data again is the same event")
	c.Flags().DurationVar(&f.wait, "wait", 0, "wait until its workflows have ended, at most so long; exit code 1 unless all succeeded")
	return c
}

func (a *app) trigger(ctx context.Context, typ string, f triggerFlags) error {
	data, err := a.readData(f.data)
	if err != nil {
		return err
	}
	if len(data) > 0 && !json.Valid(data) {
		return usage("data: not valid JSON")
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	call := remote.Request{Method: http.MethodPost, Path: "/api/events/trigger/" + url.PathEscape(typ), Body: data, Wait: f.wait}
	if f.wait > 0 {
		call.Path += "?wait=" + f.wait.String()
	}
	if f.key != "" {
		call.Header = http.Header{"Idempotency-Key": {f.key}}
	}
	text, err := c.Do(ctx, call)
	if err != nil {
		return err
	}
	var answer api.Triggered
	if err := remote.Decode(text, &answer); err != nil {
		return err
	}
	if err := a.Show(answer, func() { a.printTriggered(answer) }); err != nil || f.wait == 0 {
		return err
	}
	if len(answer.Results) == 0 {
		return fmt.Errorf("no workflow ran: no route took the event; gateway explain %s says why", answer.EventID)
	}
	for _, r := range answer.Results {
		if r.Status != "SUCCEEDED" {
			return &failure{code: exitFailed}
		}
	}
	return nil
}

func (a *app) printTriggered(t api.Triggered) {
	fmt.Fprintf(a.Out, "event %s\n", screen.Line(t.EventID))
	if len(t.Results) == 0 {
		return
	}
	rows := make([][]screen.Cell, len(t.Results))
	for i, r := range t.Results {
		run := ""
		if r.RunID != nil {
			run = *r.RunID
		}
		rows[i] = screen.Row(r.DeliveryID, r.Route, r.Engine+"/"+r.WorkflowID, r.Status, screen.OrDash(run), screen.OrDash(r.Message))
	}
	a.Table([]string{"DELIVERY", "ROUTE", "WORKFLOW", "STATUS", "RUN", "MESSAGE"}, rows)
	for _, r := range t.Results {
		if len(r.Output) > 0 {
			fmt.Fprintf(a.Out, "%s %s\n", a.Paint(screen.Dim, r.Route), screen.Pretty(r.Output, ""))
		}
	}
}
