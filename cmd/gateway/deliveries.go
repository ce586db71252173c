package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/remote"
	"github.com/event-gateway/gateway/cmd/gateway/report"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/api"
)

func (a *app) deliveriesCommand() *cobra.Command {
	return group("deliveries", "List, show, follow, retry and discard deliveries", a.deliveriesList(), a.deliveriesShow(),
		a.deliveriesChange("retry", "Try dead or discarded deliveries again, pending ones at once"),
		a.deliveriesChange("discard", "Give deliveries up that have not ended well"))
}

// deliveryFlags select deliveries.
type deliveryFlags struct {
	states                []string
	route, engine, cursor string
	follow                bool
	limit                 int
}

func (a *app) deliveriesList() *cobra.Command {
	var f deliveryFlags
	c := &cobra.Command{
		Use: "list", Short: "List deliveries, newest first; with -f follow their changes, newest last", Args: cobra.NoArgs,
		Example: "  gateway deliveries list --state dead\n  gateway deliveries list --route deploy-main -f",
		RunE:    func(c *cobra.Command, _ []string) error { return a.listDeliveries(c.Context(), f) },
	}
	flags := c.Flags()
	flags.StringSliceVar(&f.states, "state", nil, "only in these `states`: pending, running, waiting, succeeded, dead, discarded")
	flags.StringVar(&f.route, "route", "", "only of this `route`")
	flags.StringVar(&f.engine, "engine", "", "only for this `engine`")
	flags.BoolVarP(&f.follow, "follow", "f", false, "go on printing deliveries as they change")
	pageFlags(c, &f.limit, &f.cursor)
	return c
}

func (f deliveryFlags) query() url.Values {
	q := url.Values{"limit": {strconv.Itoa(f.limit)}}
	setText(q, "state", strings.Join(f.states, ","))
	setText(q, "route", f.route)
	setText(q, "engine", f.engine)
	setText(q, "cursor", f.cursor)
	return q
}

func (a *app) listDeliveries(ctx context.Context, f deliveryFlags) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	fetch := func(ctx context.Context, q url.Values) (remote.Page[api.Delivery], error) {
		var list api.DeliveryList
		err := c.Get(ctx, "/api/v1/deliveries", q, &list)
		return remote.Page[api.Delivery]{Rows: list.Deliveries, Next: list.Next}, err
	}
	if f.follow {
		rows := &remote.Follower[api.Delivery]{Fetch: fetch, Query: f.query(), Show: f.limit, Warn: a.warn,
			Mark: func(d api.Delivery) (string, string) { return d.ID, d.State + " " + strconv.Itoa(d.Attempt) }}
		return rows.Run(ctx, func(d api.Delivery) error { return a.ShowEach(d, func() { a.deliveryLine(d) }) })
	}
	list, err := fetch(ctx, f.query())
	if err != nil {
		return err
	}
	return a.Show(api.DeliveryList{Deliveries: list.Rows, Next: list.Next}, func() {
		a.deliveryTable(list.Rows)
		a.more(list.Next)
	})
}

func (a *app) deliveryTable(deliveries []api.Delivery) {
	rows := make([][]screen.Cell, len(deliveries))
	for i, d := range deliveries {
		rows[i] = []screen.Cell{
			screen.Text(d.ID), screen.Text(d.Route), screen.Text(d.Engine + "/" + d.Workflow), state(d.State),
			screen.Text(strconv.Itoa(d.Attempt)), screen.Text(a.Age(d.AcceptedAt)), screen.Text(a.Until(d.Due)), screen.Text(message(d)),
		}
	}
	a.Table([]string{"ID", "ROUTE", "WORKFLOW", "STATE", "ATTEMPT", "AGE", "NEXT", "LAST"}, rows)
}

func (a *app) deliveryLine(d api.Delivery) {
	a.Columns([][]screen.Cell{{
		screen.Text(a.Now().Local().Format(time.TimeOnly)), screen.Text(d.ID), screen.Text(d.Route), state(d.State),
		screen.Text("attempt " + strconv.Itoa(d.Attempt)), screen.Text(message(d)),
	}})
}

func state(name string) screen.Cell {
	styles := map[string]screen.Style{"succeeded": screen.Green, "dead": screen.Red, "discarded": screen.Dim, "merged": screen.Dim,
		"running": screen.Yellow, "waiting": screen.Yellow}
	return styles[name].Text(name)
}

// maxMessage keeps a table's rows on one line of a usual screen.
const maxMessage = 60

func message(d api.Delivery) string {
	switch {
	case d.MergedInto != "":
		return "into " + d.MergedInto
	case d.Last == nil:
		return "-"
	}
	text := []rune(strings.Join(strings.Fields(d.Last.Message), " "))
	if len(text) == 0 {
		return screen.OrDash(d.Last.Outcome)
	}
	if len(text) > maxMessage {
		return string(text[:maxMessage-1]) + "…"
	}
	return string(text)
}

func (a *app) deliveriesShow() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show a delivery with its input and its attempts", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			var d api.Delivery
			if err := c.Get(cmd.Context(), deliveryPath(args[0]), nil, &d); err != nil {
				return err
			}
			return a.Show(d, func() { a.printDelivery(d) })
		},
	}
}

func deliveryPath(id string) string { return "/api/v1/deliveries/" + url.PathEscape(id) }

func (a *app) printDelivery(d api.Delivery) {
	a.Columns([][]screen.Cell{{screen.Bold.Text("delivery " + d.ID), screen.Text(d.Route + " → " + d.Engine + "/" + d.Workflow), state(d.State)}})
	rows := [][]screen.Cell{{screen.Dim.Text("  event"), screen.Text(d.EventID)}, {screen.Dim.Text("  accepted"), screen.Text(screen.Moment(d.AcceptedAt) + " (" + a.Age(d.AcceptedAt) + " ago)")}}
	for _, r := range []struct{ name, text string }{{"  key", d.Key}, {"  run", d.RunID}} {
		if r.text != "" {
			rows = append(rows, []screen.Cell{screen.Dim.Text(r.name), screen.Text(r.text)})
		}
	}
	if !d.Due.IsZero() {
		rows = append(rows, []screen.Cell{screen.Dim.Text("  next"), screen.Text(a.Until(d.Due))})
	}
	a.Columns(rows)
	if len(d.Input) > 0 {
		fmt.Fprintf(a.Out, "  %s %s\n", a.Paint(screen.Dim, "input"), screen.Pretty(d.Input, "  "))
	}
	for _, t := range d.Attempts {
		a.printAttempt(t)
	}
	if d.Run != nil {
		report.Run(&a.Screen, *d.Run)
	}
}

func (a *app) printAttempt(t api.Attempt) {
	took := "still running"
	if !t.Ended.IsZero() {
		took = "took " + screen.Short(t.Ended.Sub(t.Started))
	}
	outcome := screen.Red
	if t.Outcome == "succeeded" {
		outcome = screen.Green
	}
	a.Columns([][]screen.Cell{{screen.Text("  attempt " + strconv.Itoa(t.Number)), screen.Text(screen.Moment(t.Started)), screen.Text(took),
		screen.Text(t.Process), outcome.Text(t.Outcome)}})
	if t.Message != "" {
		fmt.Fprintf(a.Out, "    %s\n", strings.ReplaceAll(screen.Block(strings.TrimSpace(t.Message)), "\n", "\n    "))
	}
	if len(t.Output) > 0 {
		fmt.Fprintf(a.Out, "    %s %s\n", a.Paint(screen.Dim, "output"), screen.Pretty(t.Output, "    "))
	}
}

// deliveriesChange is a verb that changes deliveries one after the other; one
// that cannot be changed does not keep the others from it.
func (a *app) deliveriesChange(verb, short string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " ID...", Short: short, Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, ids []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			failed := false
			for _, id := range ids {
				if err := a.changeDelivery(cmd.Context(), c, id, verb); err != nil {
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

func (a *app) changeDelivery(ctx context.Context, c *remote.Client, id, verb string) error {
	text, err := c.Call(ctx, http.MethodPost, deliveryPath(id)+"/"+verb, nil)
	if err != nil {
		return err
	}
	var d api.Delivery
	if err := remote.Decode(text, &d); err != nil {
		return err
	}
	return a.ShowEach(d, func() { a.deliveryLine(d) })
}
