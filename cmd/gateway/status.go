package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/gateway/api"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show what is running and how it is", Args: cobra.NoArgs,
		Long: "Show what is running and how it is. The exit code is 1 when the gateway is not ready.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			var r api.StatusReport
			if err := c.get(cmd.Context(), "/api/v1/status", nil, &r); err != nil {
				return err
			}
			if err := a.show(r, func() { a.printStatus(r) }); err != nil {
				return err
			}
			if !r.Ready {
				return &failure{code: exitFailed}
			}
			return nil
		},
	}
}

func (a *app) printStatus(r api.StatusReport) {
	ready := cell{"ready", green}
	if !r.Ready {
		ready = cell{"not ready: " + strings.Join(r.Reasons, "; "), red}
	}
	a.columns([][]cell{{{"gateway " + r.Version, bold}, ready, plainCell("up " + a.age(r.StartedAt))}})
	a.columns([][]cell{
		{{"config", dim}, plainCell(fmt.Sprintf("%s, revision %s, live for %s", orDash(r.Config.File), revision(r.Config.Revision), a.age(r.Config.LoadedAt)))},
		{{"store", dim}, plainCell(a.storeText(r.Store))},
		{{"events", dim}, plainCell(eventsText(r.Intake))},
	})
	a.printTrouble(r)
	a.printEngines(r.Engines)
	a.printWebhooks(r.Webhooks)
	a.printSchedules(r.Schedules)
	a.printRoutes(r.Routes)
}

func (a *app) storeText(s api.StoreStatus) string {
	text := fmt.Sprintf("%s, %s, %s used, %s free, %d pending", orDash(s.Path), orDash(s.Durability), size(s.SizeBytes), size(s.FreeBytes), s.Pending)
	if s.Pending > 0 && !s.OldestPending.IsZero() {
		text += ", the oldest for " + a.age(s.OldestPending)
	}
	return text
}

func eventsText(i api.IntakeStatus) string {
	return fmt.Sprintf("%d accepted (%d matched no route), %d duplicates, %d conflicts, %d refused",
		i.Accepted, i.Unrouted, i.Duplicates, i.Conflicts, i.Refused)
}

// printTrouble says what somebody should look at.
func (a *app) printTrouble(r api.StatusReport) {
	if last := r.Config.LastReload; last != nil && !last.OK {
		fmt.Fprintln(a.out, a.paint(red, "the last reload was refused "+a.age(last.At)+" ago; the revision before it stays live"))
		printProblems(a.out, last.Problems)
	}
	if r.Store.Refusing != "" {
		fmt.Fprintln(a.out, a.paint(red, "events are refused: "+printable(r.Store.Refusing, oneLine)))
	}
}

func (a *app) section(head []string, rows [][]cell) {
	if len(rows) > 0 {
		fmt.Fprintln(a.out)
		a.table(head, rows)
	}
}

func (a *app) printEngines(engines []api.EngineStatus) {
	var rows [][]cell
	for _, e := range engines {
		up := cell{e.State, green}
		if !e.Up {
			up.style = red
		}
		rows = append(rows, []cell{plainCell(e.Name), up, plainCell(orDash(e.Version)), plainCell(number(e.PID)),
			plainCell(fmt.Sprintf("%d/%d", e.InFlight, e.Limit)), plainCell(fmt.Sprint(e.Restarts)), plainCell(orDash(e.LastError))})
	}
	a.section([]string{"ENGINE", "STATE", "VERSION", "PID", "RUNS", "RESTARTS", "LAST ERROR"}, rows)
}

func number(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

func (a *app) printWebhooks(webhooks []api.WebhookStatus) {
	var rows [][]cell
	for _, w := range webhooks {
		scheme := plainCell(w.Scheme)
		if w.Insecure {
			scheme = cell{w.Scheme + " (anybody may send)", yellow}
		}
		rows = append(rows, []cell{plainCell(w.Name), plainCell(w.Path), scheme, plainCell(fmt.Sprint(w.Accepted)),
			plainCell(fmt.Sprint(w.Duplicates)), plainCell(rejectedText(w.Rejected)), plainCell(a.age(w.LastAt))})
	}
	a.section([]string{"WEBHOOK", "PATH", "SCHEME", "ACCEPTED", "DUPLICATES", "REJECTED", "LAST"}, rows)
}

func rejectedText(reasons map[string]uint64) string {
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		if n := reasons[reason]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, reason))
		}
	}
	if parts == nil {
		return "0"
	}
	return strings.Join(parts, ", ")
}

func (a *app) printSchedules(schedules []api.ScheduleStatus) {
	var rows [][]cell
	for _, s := range schedules {
		next := a.until(s.Next)
		if s.Paused {
			next = "paused"
		}
		rows = append(rows, row(s.Name, s.Spec, next, a.age(s.Last)))
	}
	a.section([]string{"SCHEDULE", "SPEC", "NEXT", "LAST"}, rows)
}

func (a *app) printRoutes(routes []api.RouteStatus) {
	var rows [][]cell
	for _, r := range routes {
		filter := plainCell(fmt.Sprint(r.FilterErrors))
		if r.FilterErrors > 0 {
			filter.style = red
		}
		rows = append(rows, []cell{plainCell(r.Name), plainCell(strings.Join(r.Events, " ")), plainCell(r.Engine + "/" + r.Workflow),
			plainCell(fmt.Sprint(r.Matched)), filter, plainCell(strconv.Itoa(r.Pending)), plainCell(a.age(r.Oldest)), plainCell(orDash(r.Reason))})
	}
	a.section([]string{"ROUTE", "EVENTS", "WORKFLOW", "MATCHED", "FILTER ERRORS", "PENDING", "OLDEST", "WAITS FOR"}, rows)
}
