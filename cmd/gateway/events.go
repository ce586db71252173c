package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/remote"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/api"
)

func (a *app) eventsCommand() *cobra.Command {
	return group("events", "List, show, follow and export events", a.eventsList(), a.eventsShow(), a.hindsight().Export())
}

// eventFlags select events.
type eventFlags struct {
	typ, source, since, until, cursor string
	routed, unrouted, follow          bool
	limit                             int
}

func (a *app) eventsList() *cobra.Command {
	var f eventFlags
	c := &cobra.Command{
		Use: "list", Short: "List events, newest first; with -f follow them, newest last", Args: cobra.NoArgs,
		Example: "  gateway events list --type github.push --since 2h\n  gateway events list -f -o json | jq .type",
		RunE:    func(c *cobra.Command, _ []string) error { return a.listEvents(c.Context(), f) },
	}
	flags := c.Flags()
	flags.StringVar(&f.typ, "type", "", "only of this `type`")
	flags.StringVar(&f.source, "source", "", "only from this `source`: /webhooks/<name>, /schedules/<name>, /api")
	flags.StringVar(&f.since, "since", "", "only since then: a `time` like 2026-01-31T12:00:00Z, or 90m for 90 minutes ago")
	flags.StringVar(&f.until, "until", "", "only until then: a `time` as in --since")
	flags.BoolVar(&f.routed, "routed", false, "only those that matched a route")
	flags.BoolVar(&f.unrouted, "unrouted", false, "only those that matched none")
	flags.BoolVarP(&f.follow, "follow", "f", false, "go on printing events as they come")
	pageFlags(c, &f.limit, &f.cursor)
	c.MarkFlagsMutuallyExclusive("routed", "unrouted")
	return c
}

func pageFlags(c *cobra.Command, limit *int, cursor *string) {
	c.Flags().IntVarP(limit, "limit", "n", 50, "at most so many, up to 1000")
	c.Flags().StringVar(cursor, "cursor", "", "go on where a list ended: its `next`")
	c.MarkFlagsMutuallyExclusive("follow", "cursor")
}

func (f eventFlags) query() url.Values {
	q := url.Values{"limit": {strconv.Itoa(f.limit)}}
	setText(q, "type", f.typ)
	setText(q, "source", f.source)
	setText(q, "since", f.since)
	setText(q, "until", f.until)
	setText(q, "cursor", f.cursor)
	if f.routed || f.unrouted {
		q.Set("routed", strconv.FormatBool(f.routed))
	}
	return q
}

func setText(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

func (a *app) listEvents(ctx context.Context, f eventFlags) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	fetch := func(ctx context.Context, q url.Values) (remote.Page[api.Event], error) {
		var list api.EventList
		err := c.Get(ctx, "/api/v1/events", q, &list)
		return remote.Page[api.Event]{Rows: list.Events, Next: list.Next}, err
	}
	if f.follow {
		rows := &remote.Follower[api.Event]{Fetch: fetch, Query: f.query(), Show: f.limit, Warn: a.warn,
			Mark: func(e api.Event) (string, string) { return e.Cursor, "" }}
		return rows.Run(ctx, func(e api.Event) error { return a.ShowEach(e, func() { a.eventLine(e) }) })
	}
	list, err := fetch(ctx, f.query())
	if err != nil {
		return err
	}
	return a.Show(api.EventList{Events: list.Rows, Next: list.Next}, func() {
		a.eventTable(list.Rows)
		a.more(list.Next)
	})
}

// more tells on stderr that a list goes on.
func (a *app) more(next string) {
	if next != "" {
		fmt.Fprintf(a.err, "older ones: --cursor %s\n", next)
	}
}

func (a *app) warn(err error) { fmt.Fprintf(a.err, "gateway: %s\n", screen.Line(told(err))) }

func (a *app) eventTable(events []api.Event) {
	rows := make([][]screen.Cell, len(events))
	for i, e := range events {
		rows[i] = screen.Row(e.ID, e.Type, e.Source, a.Age(e.Time), routedTo(e))
	}
	a.Table([]string{"ID", "TYPE", "SOURCE", "AGE", "ROUTES"}, rows)
}

func routedTo(e api.Event) string {
	if e.Conflict {
		return "conflict"
	}
	return strconv.Itoa(e.Routed)
}

func (a *app) eventLine(e api.Event) {
	a.Columns([][]screen.Cell{screen.Row(e.Time.Local().Format(time.TimeOnly), e.Type, e.ID, e.Source, "routes "+routedTo(e))})
}

func (a *app) eventsShow() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show an event with its data, its deliveries and their attempts", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			var e api.Event
			if err := c.Get(cmd.Context(), "/api/v1/events/"+url.PathEscape(args[0]), nil, &e); err != nil {
				return err
			}
			return a.Show(e, func() { a.printEvent(e) })
		},
	}
}

func (a *app) printEvent(e api.Event) {
	rows := [][]screen.Cell{
		{screen.Dim.Text("event"), screen.Bold.Text(e.ID)}, {screen.Dim.Text("type"), screen.Bold.Text(e.Type)}, {screen.Dim.Text("source"), screen.Text(e.Source)},
		{screen.Dim.Text("subject"), screen.Text(screen.OrDash(e.Subject))},
		{screen.Dim.Text("time"), screen.Text(screen.Moment(e.Time) + " (" + a.Age(e.Time) + " ago)")},
		{screen.Dim.Text("revision"), screen.Text(e.Revision)},
	}
	for _, group := range []struct {
		name   string
		values map[string]string
	}{{"extension", e.Extensions}, {"header", e.Headers}, {"query", e.Query}} {
		for _, name := range sorted(group.values) {
			rows = append(rows, []screen.Cell{screen.Dim.Text(group.name), screen.Text(name + ": " + group.values[name])})
		}
	}
	if e.Conflict {
		rows = append(rows, []screen.Cell{screen.Red.Text("conflict"), screen.Text("an event with this id and another body came before; this one starts nothing")})
	}
	for _, r := range e.Replays {
		rows = append(rows, []screen.Cell{screen.Dim.Text("replay"), screen.Text(fmt.Sprintf("%s, %s, routes %d", r.ID, screen.Moment(r.At), r.Routed))})
	}
	a.Columns(rows)
	a.printData(e)
	for _, d := range e.Deliveries {
		fmt.Fprintln(a.Out)
		a.printDelivery(d)
	}
	if len(e.Deliveries) == 0 {
		fmt.Fprintln(a.Out, "\nno deliveries: it matched no route")
	}
}

func (a *app) printData(e api.Event) {
	switch {
	case len(e.Data) > 0:
		fmt.Fprintf(a.Out, "%s\n  %s\n", a.Paint(screen.Dim, "data"), screen.Pretty(e.Data, "  "))
	case len(e.DataBase64) == 0:
		fmt.Fprintf(a.Out, "%s  none\n", a.Paint(screen.Dim, "data"))
	case utf8.Valid(e.DataBase64):
		fmt.Fprintf(a.Out, "%s, %s\n%s\n", a.Paint(screen.Dim, "data"), screen.Line(screen.OrDash(e.ContentType)),
			screen.Block(string(e.DataBase64)))
	default:
		fmt.Fprintf(a.Out, "%s, %s, %d bytes in base64\n%s\n", a.Paint(screen.Dim, "data"), screen.Line(screen.OrDash(e.ContentType)),
			len(e.DataBase64), base64.StdEncoding.EncodeToString(e.DataBase64))
	}
}
