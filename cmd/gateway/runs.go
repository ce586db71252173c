package main

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

func (a *app) runsCommand() *cobra.Command {
	var state, route, engine string
	limit := 100
	c := &cobra.Command{
		Use: "runs", Short: "Show what runs and what waits for an answer; answer and cancel", Args: cobra.NoArgs,
		Example: "  gateway runs --state waiting\n  gateway runs answer 0saevzjxg0001 true",
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := url.Values{"limit": {strconv.Itoa(limit)}}
			setText(q, "state", state)
			setText(q, "route", route)
			setText(q, "engine", engine)
			c, err := a.client()
			if err != nil {
				return err
			}
			var list runs.RunList
			if err := c.Get(cmd.Context(), "/api/v1/runs", q, &list); err != nil {
				return err
			}
			return a.Show(list, func() { report.Runs(&a.Screen, list) })
		},
	}
	c.Flags().StringVar(&state, "state", "", "only in this `state`: running, waiting, cancelling")
	c.Flags().StringVar(&route, "route", "", "only of this `route`")
	c.Flags().StringVar(&engine, "engine", "", "only of this `engine`")
	c.Flags().IntVar(&limit, "limit", limit, "at most so many")
	c.AddCommand(a.runsShow(), a.runsAnswer(), a.runsCancel())
	return c
}

func (a *app) runsShow() *cobra.Command {
	return &cobra.Command{
		Use: "show DELIVERY", Short: "Show a run: how far it is, or what it asks", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			var r runs.Run
			if err := c.Get(cmd.Context(), "/api/v1/runs/"+url.PathEscape(args[0]), nil, &r); err != nil {
				return err
			}
			return a.Show(r, func() { report.Run(&a.Screen, r) })
		},
	}
}

func (a *app) runsAnswer() *cobra.Command {
	return &cobra.Command{
		Use: "answer DELIVERY ANSWER", Short: "Answer a run that waits", Args: cobra.ExactArgs(2),
		Long: `Answer a run that waits, with JSON: text, @file, or - for stdin. What is no JSON
is taken for a text, so that approve is "approve".`,
		Example: "  gateway runs answer 0saevzjxg0001 true\n  gateway runs answer 0saevzjxg0001 approve\n  gateway runs answer 0saevzjxg0001 '{\"amount\": 12}'",
		RunE: func(cmd *cobra.Command, args []string) error {
			answer, err := a.readData(args[1])
			if err != nil {
				return err
			}
			if !json.Valid(answer) {
				answer, _ = json.Marshal(string(answer)) // a string always can be
			}
			return a.changeRun(cmd.Context(), args[0], "answer", answer)
		},
	}
}

func (a *app) runsCancel() *cobra.Command {
	return &cobra.Command{
		Use: "cancel DELIVERY...", Short: "Ask runs to end; unless they succeed, they are not tried again", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, ids []string) error {
			failed := false
			for _, id := range ids {
				if err := a.changeRun(cmd.Context(), id, "cancel", nil); err != nil {
					failed = true
					a.warn(err)
				}
			}
			if failed {
				return &failure{code: exitFailed}
			}
			return nil
		},
	}
}

func (a *app) changeRun(ctx context.Context, delivery, verb string, body []byte) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	text, err := c.Call(ctx, http.MethodPost, deliveryPath(delivery)+"/"+verb, body)
	if err != nil {
		return err
	}
	var r runs.Run
	if err := remote.Decode(text, &r); err != nil {
		return err
	}
	done := map[string]string{"answer": "has its answer", "cancel": "was asked to end"}
	return a.ShowEach(r, func() { fmt.Fprintf(a.Out, "the run of delivery %s %s\n", r.Delivery, done[verb]) })
}
