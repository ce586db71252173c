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
	fetch := func(ctx context.Context, q url.Values) (page[api.Delivery], error) {
		var list api.DeliveryList
		err := c.get(ctx, "/api/v1/deliveries", q, &list)
		return page[api.Delivery]{list.Deliveries, list.Next}, err
	}
	if f.follow {
		rows := &follower[api.Delivery]{fetch: fetch, query: f.query(), show: f.limit, warn: a.warn,
			mark: func(d api.Delivery) (string, string) { return d.ID, d.State + " " + strconv.Itoa(d.Attempt) }}
		return rows.run(ctx, func(d api.Delivery) error { return a.showEach(d, func() { a.deliveryLine(d) }) })
	}
	list, err := fetch(ctx, f.query())
	if err != nil {
		return err
	}
	return a.show(api.DeliveryList{Deliveries: list.rows, Next: list.next}, func() {
		a.deliveryTable(list.rows)
		a.more(list.next)
	})
}

func (a *app) deliveryTable(deliveries []api.Delivery) {
	rows := make([][]cell, len(deliveries))
	for i, d := range deliveries {
		rows[i] = []cell{
			plainCell(d.ID), plainCell(d.Route), plainCell(d.Engine + "/" + d.Workflow), state(d.State),
			plainCell(strconv.Itoa(d.Attempt)), plainCell(a.age(d.AcceptedAt)), plainCell(a.until(d.Due)), plainCell(message(d)),
		}
	}
	a.table([]string{"ID", "ROUTE", "WORKFLOW", "STATE", "ATTEMPT", "AGE", "NEXT", "LAST"}, rows)
}

func (a *app) deliveryLine(d api.Delivery) {
	a.columns([][]cell{{
		plainCell(a.now().Local().Format(time.TimeOnly)), plainCell(d.ID), plainCell(d.Route), state(d.State),
		plainCell("attempt " + strconv.Itoa(d.Attempt)), plainCell(message(d)),
	}})
}

func state(name string) cell {
	styles := map[string]style{"succeeded": green, "dead": red, "discarded": dim, "running": yellow, "waiting": yellow}
	return cell{name, styles[name]}
}

// maxMessage keeps a table's rows on one line of a usual screen.
const maxMessage = 60

func message(d api.Delivery) string {
	if d.Last == nil {
		return "-"
	}
	text := []rune(strings.Join(strings.Fields(d.Last.Message), " "))
	if len(text) == 0 {
		return orDash(d.Last.Outcome)
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
			if err := c.get(cmd.Context(), deliveryPath(args[0]), nil, &d); err != nil {
				return err
			}
			return a.show(d, func() { a.printDelivery(d) })
		},
	}
}

func deliveryPath(id string) string { return "/api/v1/deliveries/" + url.PathEscape(id) }

func (a *app) printDelivery(d api.Delivery) {
	a.columns([][]cell{{{"delivery " + d.ID, bold}, plainCell(d.Route + " → " + d.Engine + "/" + d.Workflow), state(d.State)}})
	rows := [][]cell{{{"  event", dim}, plainCell(d.EventID)}, {{"  accepted", dim}, plainCell(moment(d.AcceptedAt) + " (" + a.age(d.AcceptedAt) + " ago)")}}
	for _, r := range []struct{ name, text string }{{"  key", d.Key}, {"  run", d.RunID}} {
		if r.text != "" {
			rows = append(rows, []cell{{r.name, dim}, plainCell(r.text)})
		}
	}
	if !d.Due.IsZero() {
		rows = append(rows, []cell{{"  next", dim}, plainCell(a.until(d.Due))})
	}
	a.columns(rows)
	if len(d.Input) > 0 {
		fmt.Fprintf(a.out, "  %s %s\n", a.paint(dim, "input"), pretty(d.Input, "  "))
	}
	for _, t := range d.Attempts {
		a.printAttempt(t)
	}
}

func (a *app) printAttempt(t api.Attempt) {
	took := "still running"
	if !t.Ended.IsZero() {
		took = "took " + short(t.Ended.Sub(t.Started))
	}
	outcome := cell{t.Outcome, red}
	if t.Outcome == "succeeded" {
		outcome.style = green
	}
	a.columns([][]cell{{plainCell("  attempt " + strconv.Itoa(t.Number)), plainCell(moment(t.Started)), plainCell(took),
		plainCell(t.Process), outcome}})
	if t.Message != "" {
		fmt.Fprintf(a.out, "    %s\n", strings.ReplaceAll(printable(strings.TrimSpace(t.Message), keepLines), "\n", "\n    "))
	}
	if len(t.Output) > 0 {
		fmt.Fprintf(a.out, "    %s %s\n", a.paint(dim, "output"), pretty(t.Output, "    "))
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

func (a *app) changeDelivery(ctx context.Context, c *client, id, verb string) error {
	text, err := c.call(ctx, http.MethodPost, deliveryPath(id)+"/"+verb, nil)
	if err != nil {
		return err
	}
	var d api.Delivery
	if err := decode(text, &d); err != nil {
		return err
	}
	return a.showEach(d, func() { a.deliveryLine(d) })
}
