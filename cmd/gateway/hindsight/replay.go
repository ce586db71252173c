package hindsight

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/remote"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/api/replay"
)

// replayFlags are those of `gateway replay`.
type replayFlags struct {
	id, from, since, until string
	rate                   float64
	asked                  replay.Asked
}

func (d *Desk) replayCommand() *cobra.Command {
	var f replayFlags
	c := &cobra.Command{
		Use: "replay [EVENT_ID]", Short: "Bring events in once more, by the routes in force", Args: cobra.MaximumNArgs(1),
		Long: `Bring events in once more, by the routes in force: one by its id, those that are
selected, oldest first, or those of --from, an export. Each is routed anew, as an
event with an id of its own that says of which it is a replay; with --same-key the
deliveries run again under their own ids instead, for engines that know those.

A replay has an id, printed at its beginning: with --resume it goes on after
whatever interrupted it, and brings nothing in twice. What another configuration
would make of events tells gateway plan.`,
		Example: `  gateway replay 0saevzjxg0001
  gateway replay --since 2h --type github.push --to deploy --rate 10
  gateway replay --dead --route deploy --dry-run
  gateway replay --from events.jsonl`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				f.id = args[0]
			}
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			return d.replay(ctx, cmd.InOrStdin(), f)
		},
	}
	flags, a := c.Flags(), &f.asked
	flags.StringVar(&f.since, "since", "", "events since then: a `time` like 2026-01-31T12:00:00Z, or 90m for 90 minutes ago")
	flags.StringVar(&f.until, "until", "", "events until then: a `time` as in --since")
	flags.StringVar(&a.Type, "type", "", "only of this `type`")
	flags.StringVar(&a.Source, "source", "", "only from this `source`")
	flags.StringVar(&a.Route, "route", "", "events that had a delivery for this `route`, to it")
	flags.BoolVar(&a.Dead, "dead", false, "events with a dead delivery that no replay has made up for, to its route")
	flags.StringVar(&f.from, "from", "", "events of this `file` or folder: lines of JSON, as gateway events export prints them; - for stdin")
	flags.StringSliceVar(&a.Routes, "to", nil, "only to these `routes`")
	flags.BoolVar(&a.SameKey, "same-key", false, "run deliveries that have ended again, under their ids")
	flags.BoolVar(&a.DryRun, "dry-run", false, "only tell what would be")
	flags.Float64Var(&f.rate, "rate", 0, "at most so many events a second (default: as fast as they are stored)")
	flags.StringVar(&a.Replay, "resume", "", "go on with the replay of this `id`")
	flags.StringVar(&a.After, "after", "", "where it was interrupted, if it said so: a `cursor`")
	return c
}

// check refuses flags that do not go together, and reads times.
func (d *Desk) check(f *replayFlags) (err error) {
	a := &f.asked
	if a.Since, err = d.moment("since", f.since); err != nil {
		return err
	}
	if a.Until, err = d.moment("until", f.until); err != nil {
		return err
	}
	given := 0
	for _, is := range []bool{f.id != "", f.from != "", a.Selection != replay.Selection{}} {
		if is {
			given++
		}
	}
	switch {
	case given == 0:
		return d.Usage("say what to replay: an event's id, --from FILE, or any of --since, --until, --type, --source, --route and --dead")
	case given > 1:
		return d.Usage("an event's id, --from and a selection go one without the other")
	case f.from != "" && a.SameKey:
		return d.Usage("--same-key is about deliveries, which an export has none of")
	case f.rate < 0:
		return d.Usage("--rate is a number of events a second")
	}
	return nil
}

func (d *Desk) moment(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC(), nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return d.Now().Add(-ago).UTC(), nil
	}
	return time.Time{}, d.Usage("--%s %q is neither a time like 2026-01-31T12:00:00Z nor a duration like 90m", name, text)
}

func (d *Desk) replay(ctx context.Context, in io.Reader, f replayFlags) error {
	if err := d.check(&f); err != nil {
		return err
	}
	c, err := d.Client()
	if err != nil {
		return err
	}
	r := &rerun{Desk: d, client: c, flags: f, began: time.Now(), counts: map[string]int{}}
	if err := r.begin(ctx); err != nil {
		return err
	}
	if err := r.all(ctx, in); err != nil {
		r.bar.end()
		if !f.asked.DryRun {
			fmt.Fprintf(d.Err, "gateway: %s; go on with: %s\n", r.done(), r.command())
		}
		return err
	}
	r.bar.end()
	return r.tell()
}

// rerun is a replay under way.
type rerun struct {
	*Desk
	client *remote.Client
	flags  replayFlags
	began  time.Time
	bar    bar
	// counts of outcomes, and examined events.
	counts   map[string]int
	examined int
}

func (r *rerun) path() string {
	if r.flags.id != "" {
		return "/api/v1/events/" + url.PathEscape(r.flags.id) + "/replay"
	}
	return "/api/v1/replay"
}

// begin asks for an id before anything is done: should an answer be lost, it is
// known with which id to ask again.
func (r *rerun) begin(ctx context.Context) error {
	a := &r.flags.asked
	r.bar = bar{to: r.Err, moves: r.Terminal, until: a.Until}
	if a.Until.IsZero() {
		r.bar.until = r.began
	}
	if a.Replay == "" {
		probe := *a
		if probe.DryRun, probe.Limit = true, 1; r.flags.from != "" {
			probe.Events = []replay.Whole{}
		}
		var first replay.Round
		if err := r.post(ctx, probe, &first); err != nil {
			return err
		}
		if a.Replay = first.Replay; first.Next != "" {
			r.bar.show(first.Next, "") // where it starts
		}
	}
	if r.bar.end(); !a.DryRun {
		fmt.Fprintf(r.Err, "replay %s; after an interruption: %s\n", a.Replay, r.command())
	}
	return nil
}

// post sends a page, or for one event only the manner.
func (r *rerun) post(ctx context.Context, a replay.Asked, into *replay.Round) error {
	if r.flags.id != "" {
		return r.client.Post(ctx, r.path(), a.Manner, into)
	}
	return r.client.Post(ctx, r.path(), a, into)
}

// all does one page after the other.
func (r *rerun) all(ctx context.Context, in io.Reader) error {
	if r.flags.from != "" {
		return r.file(ctx, in)
	}
	a := &r.flags.asked
	for a.Limit = r.pageSize(); ; {
		next, err := r.page(ctx, *a)
		if err != nil || next == "" {
			return err
		}
		a.After = next
		r.bar.show(next, r.done())
	}
}

const (
	maxPage  = 100
	maxBytes = 256 << 10
	// pagesPerSecond, at least, make a rate even.
	pagesPerSecond = 5
)

func (r *rerun) pageSize() int {
	if r.flags.rate == 0 {
		return maxPage
	}
	return max(1, min(maxPage, int(r.flags.rate/pagesPerSecond)))
}

// file sends the events of a file, several at once.
func (r *rerun) file(ctx context.Context, in io.Reader) error {
	a, size := r.flags.asked, 0
	send := func() error {
		if len(a.Events) == 0 {
			return nil
		}
		_, err := r.page(ctx, a)
		a.Events, size = nil, 0
		r.bar.show("", r.done())
		return err
	}
	err := from(in, r.flags.from, func(e replay.Whole) error {
		a.Events, size = append(a.Events, e), size+len(e.Data)+len(e.DataBase64)
		if len(a.Events) < r.pageSize() && size < maxBytes {
			return nil
		}
		return send()
	})
	return cmp.Or(err, send())
}

// page does a page, however often it takes, and keeps the rate.
func (r *rerun) page(ctx context.Context, a replay.Asked) (next string, err error) {
	var out replay.Round
	for until := time.Now().Add(patience); ; {
		if err = r.post(ctx, a, &out); err == nil || !passing(err) || time.Now().After(until) {
			break
		}
		fmt.Fprintf(r.Err, "\rgateway: %s; trying again\n", screen.Line(err.Error()))
		if err := pause(ctx, anew); err != nil {
			return "", err
		}
	}
	if err != nil {
		return "", err
	}
	r.examined += out.Examined
	for _, o := range out.Events {
		r.counts[o.Outcome]++
		if err := r.each(o); err != nil {
			return "", err
		}
	}
	if r.flags.rate > 0 && !a.DryRun {
		due := r.began.Add(time.Duration(float64(r.counts[replay.Replayed]) / r.flags.rate * float64(time.Second)))
		return out.Next, pause(ctx, time.Until(due))
	}
	return out.Next, nil
}

// A page that does not go through is sent again for so long, so often: the
// gateway may be full, or starting anew.
const (
	patience = 2 * time.Minute
	anew     = 2 * time.Second
)

func passing(err error) bool {
	if p, refused := remote.ProblemIn(err); refused {
		return p.Status == http.StatusServiceUnavailable
	}
	return !errors.Is(err, context.Canceled)
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// each prints what became of an event: for programs always, for people what
// would be; what has been, the sum tells.
func (r *rerun) each(o replay.Outcome) error {
	if r.Format != screen.Table {
		return r.ShowEach(o, nil)
	}
	if !r.flags.asked.DryRun {
		return nil
	}
	r.bar.end()
	word := strings.ReplaceAll(o.Outcome, "_", " ")
	if o.Outcome == replay.Replayed {
		word = "would run"
	}
	fmt.Fprintf(r.Out, "%s  %s  %s  %s\n", word, screen.Line(o.EventID), screen.Line(o.Type), screen.Line(strings.Join(o.Routes, ", ")))
	return nil
}

func (r *rerun) done() string {
	verb := "replayed"
	if r.flags.asked.DryRun {
		verb = "would be replayed"
	}
	what := "event"
	if r.flags.asked.SameKey {
		what = "deliverie" // plural adds the s
		if r.counts[replay.Replayed] == 1 {
			what = "delivery"
		}
	}
	text := plural(r.counts[replay.Replayed], what) + " " + verb
	for _, o := range []struct{ outcome, says string }{
		{replay.Before, "before"}, {replay.NoRoute, "that no route takes"}, {replay.Open, "still open"},
		{replay.RouteRemoved, "whose route is gone"}, {replay.MadeUp, "made up for"},
	} {
		if n := r.counts[o.outcome]; n > 0 {
			text += fmt.Sprintf(", %d %s", n, o.says)
		}
	}
	return text
}

func (r *rerun) tell() error {
	if r.Format == screen.Table {
		fmt.Fprintln(r.Out, r.done())
	}
	return nil
}

// command is what goes on with the replay.
func (r *rerun) command() string {
	a := r.flags.asked
	parts := []string{"gateway replay"}
	add := func(flag, value string) {
		if value != "" {
			parts = append(parts, flag+" "+quoted(value))
		}
	}
	if r.flags.id != "" {
		parts = append(parts, quoted(r.flags.id))
	}
	add("--from", r.flags.from)
	if !a.Since.IsZero() {
		add("--since", a.Since.Format(time.RFC3339Nano))
	}
	if !a.Until.IsZero() {
		add("--until", a.Until.Format(time.RFC3339Nano))
	}
	add("--type", a.Type)
	add("--source", a.Source)
	add("--route", a.Route)
	add("--to", strings.Join(a.Routes, ","))
	if a.Dead {
		parts = append(parts, "--dead")
	}
	if a.SameKey {
		parts = append(parts, "--same-key")
	}
	if r.flags.rate > 0 {
		add("--rate", fmt.Sprint(r.flags.rate))
	}
	add("--resume", a.Replay)
	add("--after", a.After)
	return strings.Join(parts, " ")
}

// quoted is a text as a shell takes it.
func quoted(text string) string {
	plain := func(c rune) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("-_.,:/+~@%", c)
	}
	if strings.IndexFunc(text, func(c rune) bool { return !plain(c) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(screen.Line(text), "'", `'\''`) + "'"
}
