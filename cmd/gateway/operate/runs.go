package operate

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/remote"
	"github.com/event-gateway/gateway/cmd/gateway/report"
	"github.com/event-gateway/gateway/gateway/api/runs"
)

// Runs is the verb runs and those below it.
func (d *Desk) Runs() *cobra.Command {
	var state, route, engine string
	limit := 100
	c := &cobra.Command{
		Use: "runs", Short: "Show what runs and what waits for an answer; answer and cancel", Args: cobra.NoArgs,
		Example: "  gateway runs --state waiting\n  gateway runs answer 0saevzjxg0001 true",
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := url.Values{"limit": {strconv.Itoa(limit)}}
			for name, value := range map[string]string{"state": state, "route": route, "engine": engine} {
				if value != "" {
					q.Set(name, value)
				}
			}
			var list runs.RunList
			if err := d.get(cmd.Context(), "/api/v1/runs?"+q.Encode(), &list); err != nil {
				return err
			}
			return d.Show(list, func() { report.Runs(d.Screen, list) })
		},
	}
	c.Flags().StringVar(&state, "state", "", "only in this `state`: running, waiting, cancelling")
	c.Flags().StringVar(&route, "route", "", "only of this `route`")
	c.Flags().StringVar(&engine, "engine", "", "only of this `engine`")
	c.Flags().IntVar(&limit, "limit", limit, "at most so many")
	c.AddCommand(d.runsShow(), d.runsAnswer(), d.runsCancel())
	return c
}

func (d *Desk) runsShow() *cobra.Command {
	return &cobra.Command{
		Use: "show DELIVERY", Short: "Show a run: how far it is, or what it asks", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var r runs.Run
			if err := d.get(cmd.Context(), "/api/v1/runs/"+url.PathEscape(args[0]), &r); err != nil {
				return err
			}
			return d.Show(r, func() { report.Run(d.Screen, r) })
		},
	}
}

func (d *Desk) runsAnswer() *cobra.Command {
	return &cobra.Command{
		Use: "answer DELIVERY ANSWER", Short: "Answer a run that waits", Args: cobra.ExactArgs(2),
		Long: `Answer a run that waits, with JSON: text, @file, or - for stdin. What is no JSON
is taken for a text, so that approve is "approve".`,
		Example: "  gateway runs answer 0saevzjxg0001 true\n  gateway runs answer 0saevzjxg0001 approve\n  gateway runs answer 0saevzjxg0001 '{\"amount\": 12}'",
		RunE: func(cmd *cobra.Command, args []string) error {
			answer, err := d.Read(args[1])
			if err != nil {
				return err
			}
			if !json.Valid(answer) {
				answer, _ = json.Marshal(string(answer)) // a string always can be
			}
			return d.changeRun(cmd.Context(), args[0], "answer", answer)
		},
	}
}

func (d *Desk) runsCancel() *cobra.Command {
	return &cobra.Command{
		Use: "cancel DELIVERY...", Short: "Ask runs to end; unless they succeed, they are not tried again", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, ids []string) error {
			return d.each(ids, func(id string) error { return d.changeRun(cmd.Context(), id, "cancel", nil) })
		},
	}
}

func (d *Desk) changeRun(ctx context.Context, delivery, verb string, body []byte) error {
	c, err := d.Client()
	if err != nil {
		return err
	}
	text, err := c.Call(ctx, http.MethodPost, "/api/v1/deliveries/"+url.PathEscape(delivery)+"/"+verb, body)
	if err != nil {
		return err
	}
	var r runs.Run
	if err := remote.Decode(text, &r); err != nil {
		return err
	}
	done := map[string]string{"answer": "has its answer", "cancel": "was asked to end"}
	return d.ShowEach(r, func() { fmt.Fprintf(d.Out, "the run of delivery %s %s\n", r.Delivery, done[verb]) })
}
