// Package report shows people what a running gateway tells of itself: its status,
// and the problems of a configuration. Verbs have asked for it before.
package report

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/api"
)

// Status shows what is running and how it is.
func Status(s *screen.Screen, r api.StatusReport) { view{s}.printStatus(r) }

type view struct{ *screen.Screen }

func (a view) printStatus(r api.StatusReport) {
	ready := screen.Green.Text("ready")
	if !r.Ready {
		ready = screen.Red.Text("not ready: " + strings.Join(r.Reasons, "; "))
	}
	a.Columns([][]screen.Cell{{screen.Bold.Text("gateway " + r.Version), ready, screen.Text("up " + a.Age(r.StartedAt))}})
	a.Columns([][]screen.Cell{
		{screen.Dim.Text("config"), screen.Text(fmt.Sprintf("%s, revision %s, live for %s", screen.OrDash(r.Config.File), Revision(r.Config.Revision), a.Age(r.Config.LoadedAt)))},
		{screen.Dim.Text("store"), screen.Text(a.storeText(r.Store))},
		{screen.Dim.Text("events"), screen.Text(eventsText(r.Intake))},
	})
	a.printTrouble(r)
	a.printEngines(r.Engines)
	a.printWebhooks(r.Webhooks)
	a.printSecrets(r.Webhooks)
	a.printSchedules(r.Schedules)
	a.printRoutes(r.Routes)
}

func (a view) storeText(s api.StoreStatus) string {
	text := fmt.Sprintf("%s, %s, %s used, %s free, %d pending", screen.OrDash(s.Path), screen.OrDash(s.Durability), screen.Size(s.SizeBytes), screen.Size(s.FreeBytes), s.Pending)
	if s.Pending > 0 && !s.OldestPending.IsZero() {
		text += ", the oldest for " + a.Age(s.OldestPending)
	}
	return text
}

func eventsText(i api.IntakeStatus) string {
	return fmt.Sprintf("%d accepted (%d matched no route), %d duplicates, %d conflicts, %d refused",
		i.Accepted, i.Unrouted, i.Duplicates, i.Conflicts, i.Refused)
}

// printTrouble says what somebody should look at.
func (a view) printTrouble(r api.StatusReport) {
	if last := r.Config.LastReload; last != nil && !last.OK {
		fmt.Fprintln(a.Out, a.Paint(screen.Red, "the last reload was refused "+a.Age(last.At)+" ago; the revision before it stays live"))
		Problems(a.Out, last.Problems)
	}
	if r.Config.LastGood {
		fmt.Fprintln(a.Out, a.Paint(screen.Red, "the file was refused at the start; the last good revision is in force until it is mended"))
	}
	for _, e := range r.Config.SetAside {
		fmt.Fprintln(a.Out, a.Paint(screen.Red, screen.Line(e.Name)+" was made over the API and is set aside"))
		Problems(a.Out, e.Problems)
	}
	if r.Store.Refusing != "" {
		fmt.Fprintln(a.Out, a.Paint(screen.Red, "events are refused: "+screen.Line(r.Store.Refusing)))
	}
}

func (a view) section(head []string, rows [][]screen.Cell) {
	if len(rows) > 0 {
		fmt.Fprintln(a.Out)
		a.Table(head, rows)
	}
}

func (a view) printEngines(engines []api.EngineStatus) {
	var rows [][]screen.Cell
	for _, e := range engines {
		up := screen.Green
		if !e.Up {
			up = screen.Red
		}
		rows = append(rows, []screen.Cell{screen.Text(e.Name), up.Text(e.State), screen.Text(screen.OrDash(e.Version)), screen.Text(number(e.PID)),
			screen.Text(fmt.Sprintf("%d/%d", e.InFlight-e.Waiting, e.Limit)), screen.Text(number(e.Waiting)), screen.Text(fmt.Sprint(e.Restarts)), screen.Text(screen.OrDash(e.LastError))})
	}
	a.section([]string{"ENGINE", "STATE", "VERSION", "PID", "RUNS", "WAITING", "RESTARTS", "LAST ERROR"}, rows)
}

// Engines shows engines with the programs that they are.
func Engines(s *screen.Screen, list []api.EngineStatus) {
	rows := make([][]screen.Cell, len(list))
	for i, e := range list {
		up := screen.Green
		if !e.Up {
			up = screen.Red
		}
		pinned := screen.Text("-")
		switch {
		case e.ReturnedFrom != "":
			pinned = screen.Red.Text("crashed; the one before runs")
		case e.Pinned:
			pinned = screen.Green.Text("pinned")
		}
		rows[i] = []screen.Cell{screen.Text(e.Name), up.Text(e.State), screen.Text(screen.OrDash(e.Version)), screen.Text(number(e.PID)), screen.Text(s.Age(e.StartedAt)),
			screen.Text(fmt.Sprint(e.Restarts)), screen.Text(fmt.Sprintf("%.12s", screen.OrDash(e.SHA256))), pinned, screen.Text(screen.OrDash(e.Path))}
	}
	s.Table([]string{"ENGINE", "STATE", "VERSION", "PID", "UP FOR", "RESTARTS", "SHA256", "PIN", "PROGRAM"}, rows)
}

func number(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

func (a view) printWebhooks(webhooks []api.WebhookStatus) {
	var rows [][]screen.Cell
	for _, w := range webhooks {
		scheme := screen.Text(w.Scheme)
		if w.Insecure {
			scheme = screen.Yellow.Text(w.Scheme + " (anybody may send)")
		}
		rows = append(rows, []screen.Cell{screen.Text(w.Name), screen.Text(w.Path), scheme, screen.Text(fmt.Sprint(w.Accepted)),
			screen.Text(fmt.Sprint(w.Duplicates)), screen.Text(rejectedText(w.Rejected)), screen.Text(a.Age(w.LastAt))})
	}
	a.section([]string{"WEBHOOK", "PATH", "SCHEME", "ACCEPTED", "DUPLICATES", "REJECTED", "LAST"}, rows)
}

// printSecrets shows where there are several which of them are still in use.
func (a view) printSecrets(webhooks []api.WebhookStatus) {
	var rows [][]screen.Cell
	for _, w := range webhooks {
		if len(w.Secrets) < 2 {
			continue
		}
		for _, s := range w.Secrets {
			rows = append(rows, screen.Row(fmt.Sprintf("%s.secrets[%d]", w.Name, s.Position), a.Age(s.LastAt), a.Until(s.Until)))
		}
	}
	a.section([]string{"SECRET", "LAST MATCH", "ENDS"}, rows)
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

func (a view) printSchedules(schedules []api.ScheduleStatus) {
	var rows [][]screen.Cell
	for _, s := range schedules {
		next := a.Until(s.Next)
		if s.Paused {
			next = "paused"
		}
		rows = append(rows, screen.Row(s.Name, screen.OrDash(s.Origin), s.Spec, next, a.Age(s.Last)))
	}
	a.section([]string{"SCHEDULE", "ORIGIN", "SPEC", "NEXT", "LAST"}, rows)
}

func (a view) printRoutes(routes []api.RouteStatus) {
	var rows [][]screen.Cell
	for _, r := range routes {
		filter := screen.Normal
		if r.FilterErrors > 0 {
			filter = screen.Red
		}
		rows = append(rows, []screen.Cell{screen.Text(r.Name), screen.Text(screen.OrDash(r.Origin)), screen.Text(strings.Join(r.Events, " ")), screen.Text(r.Engine + "/" + r.Workflow),
			screen.Text(fmt.Sprint(r.Matched)), filter.Text(fmt.Sprint(r.FilterErrors)), screen.Text(strconv.Itoa(r.Pending)), screen.Text(a.Age(r.Oldest)), screen.Text(screen.OrDash(r.Reason))})
	}
	a.section([]string{"ROUTE", "ORIGIN", "EVENTS", "WORKFLOW", "MATCHED", "FILTER ERRORS", "PENDING", "OLDEST", "WAITS FOR"}, rows)
}
