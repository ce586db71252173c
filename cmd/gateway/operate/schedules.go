package operate

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/report"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/api/steer"
)

// Schedules is the verb schedules and those below it.
func (d *Desk) Schedules() *cobra.Command {
	next := 1
	c := &cobra.Command{
		Use: "schedules", Short: "Show when schedules fire next; pause, resume, trigger and backfill them", Args: cobra.NoArgs,
		Long: `Show when schedules fire next, in the zone of each, with its offset: also across
a change of the clock. To see it before a file is in force: gateway validate --next 5.`,
		Example: "  gateway schedules --next 5\n  gateway schedules pause nightly-report",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list map[string][]steer.Schedule
			if err := d.get(cmd.Context(), "/api/v1/schedules?next="+strconv.Itoa(next), &list); err != nil {
				return err
			}
			return d.Show(list, func() { report.Schedules(d.Screen, list["schedules"]) })
		},
	}
	c.Flags().IntVar(&next, "next", next, "how many firings of each, at most 100")
	c.AddCommand(
		d.schedulesSteer("pause", "Keep a schedule from firing, over restarts too, until it is resumed"),
		d.schedulesSteer("resume", "Let a paused schedule fire again; what came due meanwhile is not made up for"),
		d.schedulesTrigger(), d.schedulesBackfill(),
	)
	return c
}

func schedulePath(name, verb string) string {
	return "/api/v1/schedules/" + url.PathEscape(name) + "/" + verb
}

func (d *Desk) schedulesSteer(verb, short string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " NAME", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var s steer.Schedule
			if err := d.post(cmd.Context(), schedulePath(args[0], verb), nil, &s); err != nil {
				return err
			}
			return d.Show(s, func() { report.Schedules(d.Screen, []steer.Schedule{s}) })
		},
	}
}

func (d *Desk) schedulesTrigger() *cobra.Command {
	return &cobra.Command{
		Use: "trigger NAME", Short: "Fire a schedule now, beside its own times", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var r steer.Fired
			if err := d.post(cmd.Context(), schedulePath(args[0], "trigger"), nil, &r); err != nil {
				return err
			}
			what := "workflows"
			if r.Workflows == 1 {
				what = "workflow"
			}
			return d.Show(r, func() { fmt.Fprintf(d.Out, "event %s, %d %s\n", screen.Line(r.EventID), r.Workflows, what) })
		},
	}
}

func (d *Desk) schedulesBackfill() *cobra.Command {
	var in steer.Interval
	c := &cobra.Command{
		Use: "backfill NAME", Short: "Fire the times of an interval that have not fired", Args: cobra.ExactArgs(1),
		Long: `Fire the times of an interval, both ends included, that have not fired. It is
safe to repeat. Overlap is not looked at: routes keep their order and concurrency.`,
		Example: "  gateway schedules backfill nightly-report --from 2026-11-01T00:00:00+01:00 --to 2026-11-08T00:00:00+01:00",
		RunE: func(cmd *cobra.Command, args []string) error {
			var done steer.Backfill
			if err := d.post(cmd.Context(), schedulePath(args[0], "backfill"), in, &done); err != nil {
				return err
			}
			return d.Show(done, func() {
				fmt.Fprintf(d.Out, "%d of %d fired, %d had fired before\n", done.Fired, done.Slots, done.Before)
			})
		},
	}
	c.Flags().TimeVar(&in.From, "from", time.Time{}, []string{time.RFC3339}, "first `time`, like 2026-01-31T12:00:00Z")
	c.Flags().TimeVar(&in.To, "to", time.Time{}, []string{time.RFC3339}, "last `time`")
	return c
}
