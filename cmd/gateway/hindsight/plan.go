package hindsight

import (
	"context"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/report"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/again"
	"github.com/event-gateway/gateway/gateway/api/replay"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/overlay"
	"github.com/event-gateway/gateway/gateway/rehearse/plan"
)

// planFlags are those of `gateway plan`.
type planFlags struct {
	selection
	old, from, now     string
	markdown, exitCode bool
}

func (d *Desk) planCommand() *cobra.Command {
	var f planFlags
	c := &cobra.Command{
		Use: "plan [NEW.yaml]", Short: "Tell what a new configuration would change: for events, schedules and engines", Args: cobra.MaximumNArgs(1),
		Long: `Tell what a new configuration would change: which of the stored events would newly
run or no longer run, or with another input, order key or workflow; which
schedules fire at other times; which engines restart, and what they are doing.

The old configuration is that of the running gateway with what was laid over it,
or --old; the events are the newest that it has stored, or those of --from, an
export, a folder of such, or - for stdin. With both no gateway is needed. Nothing
is started and nothing changes.`,
		Example: `  gateway plan new.yaml --since 24h
  gateway plan new.yaml --old gateway.yaml --from events.jsonl --markdown > comment.md
  gateway plan new.yaml -o json --exit-code`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.now = d.Config()
			if len(args) > 0 {
				f.now = args[0]
			}
			return d.plan(cmd.Context(), cmd.InOrStdin(), f)
		},
	}
	f.selection.flags(c, 10_000, "the newest so many events")
	c.Flags().StringVar(&f.old, "old", "", "the old configuration is this `file`, not the running gateway's")
	c.Flags().StringVar(&f.from, "from", "", "events of this `file` or folder: lines of JSON, as gateway events export prints them")
	c.Flags().BoolVar(&f.markdown, "markdown", false, "print a comment for a pull request")
	c.Flags().BoolVar(&f.exitCode, "exit-code", false, "end with 1 when anything changes")
	return c
}

// maxChanges are told one by one; all are counted.
const maxChanges = 10_000

func (d *Desk) plan(ctx context.Context, in io.Reader, f planFlags) error {
	if f.from != "" && (f.selection != selection{most: f.most}) {
		return d.Usage("--from brings its own events: --type, --source, --since and --until go without it")
	}
	was, err := d.before(ctx, f)
	if err != nil {
		return err
	}
	two, err := pair(was, f.now)
	if err != nil {
		return err
	}
	if two.problems.Failed() {
		report.Problems(d.Err, overlay.Problems(two.problems))
		return screen.ErrSaid
	}
	events, err := d.events(ctx, in, f)
	if err != nil {
		return err
	}
	out, err := two.compare(events)
	if err != nil {
		return err
	}
	if err := d.present(ctx, f, out); err != nil {
		return err
	}
	if f.exitCode && out.Differs() {
		return screen.ErrSaid
	}
	return nil
}

// events are those to hold the configurations against.
func (d *Desk) events(ctx context.Context, in io.Reader, f planFlags) (list []*event.Event, err error) {
	add := func(e replay.Whole) error {
		if !e.Conflict {
			list = append(list, e.Event())
		}
		return nil
	}
	if f.from != "" {
		err := from(in, f.from, add)
		return list[max(0, len(list)-f.most):], err
	}
	stored, err := d.stored(ctx, f.selection)
	for _, e := range stored {
		_ = add(e) // never fails
	}
	return list, err
}

// before is the old configuration, and what the gateway does that has it.
func (d *Desk) before(ctx context.Context, f planFlags) (was running, err error) {
	if f.old != "" {
		doc, problems := config.Load(f.old, config.Options{NoSecrets: true})
		if problems.Failed() {
			return was, problems
		}
		was.Written = again.Written(doc)
		was.File = f.old
		return was, nil
	}
	c, err := d.Client()
	if err != nil {
		return was, err
	}
	return observe(ctx, c)
}

// present fills in what the running gateway is doing and prints.
func (d *Desk) present(ctx context.Context, f planFlags, out *Plan) error {
	if f.markdown {
		return markdown(d.Out, out)
	}
	return d.Show(out, func() { d.print(out) })
}

// Plan is what would change.
type Plan struct {
	Old string `json:"old"`
	New string `json:"new"`
	// Differences of the configurations, by name.
	Differences []string `json:"differences"`
	// Refused is what the running gateway would not take over.
	Refused []string `json:"refused"`
	plan.Events
	Schedules []Schedule `json:"schedules"`
	Engines   []Engine   `json:"engines"`
}

// Differs tells whether anything changes.
func (p *Plan) Differs() bool {
	return p.Affected+len(p.Schedules)+len(p.Engines)+len(p.Refused)+len(p.Differences) > 0
}

// name is a file as people know it.
func name(path string) string {
	if base, err := filepath.Rel(".", path); err == nil && filepath.IsLocal(base) {
		return base
	}
	return path
}
