package rehearse

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/remote"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/api/explain"
	"github.com/event-gateway/gateway/gateway/rehearse"
	"github.com/event-gateway/gateway/gateway/rehearse/script"
)

// explainFlags are those of `gateway explain`.
type explainFlags struct {
	id, event, request     string
	route, revision, at    string
	local, sign, unmatched bool
}

func (d *Desk) explainCommand() *cobra.Command {
	var f explainFlags
	c := &cobra.Command{
		Use: "explain [EVENT_ID]", Short: "Tell for each route why an event takes it, or the condition that keeps it out", Args: cobra.MaximumNArgs(1),
		Long: `Tell for each route why an event takes it, or the first condition that keeps it
out, with the value that was seen there and the errors of filters.

An event's id asks the running gateway, about its routes in force or those of a
--revision; with --local, the event is fetched and this configuration asked. A
file, --event or --request, needs no gateway: an event is JSON as ` + "`gateway events\nshow -o json`" + ` prints it, a request its first line, headers, an empty line and
the body. A request is verified as the webhook would: --at says when it was
received, --sign signs it anew.`,
		Example: `  gateway explain 0saevzjxg0001
  gateway explain 0saevzjxg0001 --revision 4f1c2ab09d3e
  gateway explain --request push.http --sign --route deploy
  gateway events show 0saevzjxg0001 -o json | gateway explain --event - -c new.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				f.id = args[0]
			}
			return d.explain(cmd.Context(), cmd.InOrStdin(), f)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.event, "event", "", "explain the event in this `file`; - for stdin")
	flags.StringVar(&f.request, "request", "", "explain the request in this `file`; - for stdin")
	flags.StringVar(&f.route, "route", "", "only this `route`")
	flags.StringVar(&f.revision, "revision", "", "by the routes of this `revision` of the past")
	flags.StringVar(&f.at, "at", "", "when the request was received: a `time` like 2026-01-31T12:00:00Z (default now)")
	flags.BoolVar(&f.sign, "sign", false, "sign the request anew, as its sender would")
	flags.BoolVar(&f.local, "local", false, "by the configuration here, not the gateway's")
	flags.BoolVar(&f.unmatched, "all", false, "also routes that take events of other types")
	return c
}

// check refuses flags that do not go together.
func (f *explainFlags) check(usage func(string, ...any) error) error {
	given := 0
	for _, what := range []string{f.id, f.event, f.request} {
		if what != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return usage("say what to explain: an event's id, --event FILE or --request FILE")
	case f.revision != "" && (f.id == "" || f.local):
		return usage("--revision goes with an event's id: the running gateway knows its past")
	case (f.at != "" || f.sign) && f.request == "":
		return usage("--at and --sign go with --request")
	}
	return nil
}

// Explanation is what is told.
type Explanation struct {
	explain.Explanation
	// Status, Reason and Answer are those of the answer to a request.
	Status int             `json:"status,omitempty"`
	Reason string          `json:"reason,omitempty"`
	Answer json.RawMessage `json:"answer,omitempty"`
}

func (d *Desk) explain(ctx context.Context, in io.Reader, f explainFlags) error {
	if err := f.check(d.Usage); err != nil {
		return err
	}
	out, err := d.explanation(ctx, in, f)
	if err != nil {
		return err
	}
	if f.route != "" {
		out.Routes = slices.DeleteFunc(out.Routes, func(v rehearse.Verdict) bool { return v.Route != f.route })
		if len(out.Routes) == 0 && out.Event.Type != "" {
			return fmt.Errorf("no route is named %q", f.route)
		}
	}
	if out.Routes == nil {
		out.Routes = []rehearse.Verdict{}
	}
	return d.Show(out, func() { d.printExplanation(out, f) })
}

func (d *Desk) explanation(ctx context.Context, in io.Reader, f explainFlags) (*Explanation, error) {
	if f.id != "" && !f.local {
		c, err := d.Client()
		if err != nil {
			return nil, err
		}
		q := url.Values{}
		for name, value := range map[string]string{"revision": f.revision, "route": f.route} {
			if value != "" {
				q.Set(name, value)
			}
		}
		var out Explanation
		return &out, c.Get(ctx, "/api/v1/events/"+url.PathEscape(f.id)+"/explain", q, &out.Explanation)
	}
	cast, err := d.cast(ctx, in, f)
	if err != nil {
		return nil, err
	}
	on, doc, err := setting{path: d.Config(), env: os.LookupEnv, now: cast.At}.build(nil)
	if err != nil {
		return nil, err
	}
	t, err := perform(ctx, on, cast)
	if err != nil {
		return nil, err
	}
	out := &Explanation{Explanation: explain.Explanation{Revision: doc.Revision[:12], Routes: t.Routes}, Status: t.Status, Reason: t.Reason}
	if json.Valid(t.Answer) {
		out.Answer = t.Answer
	}
	if t.Event != nil {
		out.Event = explain.Explained{ID: t.Event.ID, Source: t.Event.Source, Type: t.Event.Type}
	}
	return out, nil
}

// cast is what is to be explained as a case.
func (d *Desk) cast(ctx context.Context, in io.Reader, f explainFlags) (c *script.Cast, err error) {
	c = &script.Cast{At: d.Now()}
	if f.at != "" {
		if c.At, err = time.Parse(time.RFC3339, f.at); err != nil {
			return nil, d.Usage("--at %q is not a time like 2026-01-31T12:00:00Z", f.at)
		}
	}
	switch {
	case f.id != "":
		c.Given, _, err = d.stored(ctx, f.id)
	case f.event != "":
		var text []byte
		if text, err = readFile(in, f.event); err == nil {
			c.Given, err = script.ParseEvent(text)
		}
	default:
		c.Case.Request = &script.Request{File: f.request}
		if f.sign {
			c.Case.Request.Sign = script.On
		}
		var text []byte
		if text, err = readFile(in, f.request); err == nil {
			c.Recorded, err = script.ParseRequest(text)
		}
	}
	return c, err
}

func readFile(in io.Reader, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(in)
	}
	return os.ReadFile(name)
}

func decodeAnswer(text []byte, into any) error { return remote.Decode(text, into) }

func (d *Desk) printExplanation(e *Explanation, f explainFlags) {
	if e.Status >= 300 {
		fmt.Fprintf(d.Out, "answered %s %s\n", d.Paint(screen.Red, fmt.Sprint(e.Status)), screen.Line(e.Reason))
		fmt.Fprintf(d.Out, "  %s\n", screen.Pretty(e.Answer, "  "))
	}
	if e.Event.Type == "" {
		fmt.Fprintln(d.Out, "no event comes of it")
		return
	}
	fmt.Fprintf(d.Out, "%s %s from %s, by revision %s\n", d.Paint(screen.Bold, screen.Line(e.Event.Type)), screen.Line(e.Event.ID), screen.Line(e.Event.Source), screen.Line(e.Revision))
	others := 0
	for _, v := range e.Routes {
		if v.Failed != nil && v.Failed.Step == "events" && !f.unmatched && f.route == "" {
			others++
			continue
		}
		d.printVerdict(v)
	}
	if others > 0 {
		fmt.Fprintf(d.Out, "%s for other types (--all lists them)\n", count(others, "route"))
	}
}

func (d *Desk) printVerdict(v rehearse.Verdict) {
	if v.Failed != nil {
		word := "no   "
		if v.Failed.Error != "" {
			word = d.Paint(screen.Yellow, "error")
		}
		fmt.Fprintf(d.Out, "%s  %s  %s\n", word, screen.Line(v.Route), screen.Line(v.Failed.String()))
		return
	}
	fmt.Fprintf(d.Out, "%s    %s  %s\n", d.Paint(screen.Green, "yes"), screen.Line(v.Route), screen.Line(v.Engine+"/"+v.Workflow))
	if v.Key != "" {
		fmt.Fprintf(d.Out, "         key    %s\n", screen.Line(v.Key))
	}
	if len(v.Input) > 0 {
		fmt.Fprintf(d.Out, "         input  %s\n", screen.Line(string(v.Input)))
	}
}
