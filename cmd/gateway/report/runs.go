package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/api/runs"
)

// Runs shows what runs and what waits.
func Runs(s *screen.Screen, list runs.RunList) {
	rows := make([][]screen.Cell, len(list.Runs))
	for i, r := range list.Runs {
		rows[i] = []screen.Cell{
			screen.Text(r.Delivery), screen.Text(r.Route), screen.Text(r.Engine + "/" + r.Workflow), runState(r.State),
			screen.Text(strconv.Itoa(r.Attempt)), screen.Text(s.Age(r.Started)), screen.Text(screen.OrDash(short(said(&r)))),
		}
	}
	s.Table([]string{"DELIVERY", "ROUTE", "WORKFLOW", "STATE", "ATTEMPT", "FOR", "SAYS"}, rows)
	if list.More > 0 {
		fmt.Fprintf(s.Out, "and %d more\n", list.More)
	}
}

// Run shows one, with all that it asks.
func Run(s *screen.Screen, r runs.Run) {
	s.Columns([][]screen.Cell{{screen.Bold.Text("run of delivery " + r.Delivery), screen.Text(r.Route + " → " + r.Engine + "/" + r.Workflow), runState(r.State)}})
	rows := [][]screen.Cell{
		{screen.Dim.Text("  event"), screen.Text(r.EventID)},
		{screen.Dim.Text("  attempt"), screen.Text(fmt.Sprintf("%d, for %s", r.Attempt, s.Age(r.Started)))},
	}
	for _, more := range []struct{ name, text string }{{"  run", r.RunID}, {"  process", r.Process}} {
		if more.text != "" {
			rows = append(rows, []screen.Cell{screen.Dim.Text(more.name), screen.Text(more.text)})
		}
	}
	if !r.Deadline.IsZero() {
		rows = append(rows, []screen.Cell{screen.Dim.Text("  ends"), screen.Text(s.Until(r.Deadline) + " at the latest")})
	}
	if r.Progress != nil {
		rows = append(rows, []screen.Cell{screen.Dim.Text("  progress"), screen.Text(progress(r.Progress) + ", " + s.Age(r.Progress.At) + " ago")})
	}
	s.Columns(rows)
	if q := r.Question; q != nil {
		fmt.Fprintf(s.Out, "  %s %s\n", s.Paint(screen.Dim, "asks"), strings.ReplaceAll(screen.Block(q.Prompt), "\n", "\n    "))
		if len(q.Schema) > 0 {
			fmt.Fprintf(s.Out, "  %s %s\n", s.Paint(screen.Dim, "answer"), screen.Pretty(q.Schema, "  "))
		}
	}
}

func runState(name string) screen.Cell {
	styles := map[string]screen.Style{"running": screen.Green, "waiting": screen.Yellow, "cancelling": screen.Red}
	return styles[name].Text(name)
}

// said is what a run asks, or how far it said that it is.
func said(r *runs.Run) string {
	switch {
	case r.Question != nil:
		return r.Question.Prompt
	case r.Progress != nil:
		return progress(r.Progress)
	}
	return ""
}

func progress(p *runs.Progress) string {
	var parts []string
	if p.Fraction != nil {
		parts = append(parts, fmt.Sprintf("%.0f %%", 100**p.Fraction))
	}
	for _, text := range []string{p.Step, p.Message} {
		if text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, " · ")
}

// maxSaid keeps a table's rows on one line of a usual screen.
const maxSaid = 60

func short(text string) string {
	line := []rune(strings.Join(strings.Fields(text), " "))
	if len(line) > maxSaid {
		return string(line[:maxSaid-1]) + "…"
	}
	return string(line)
}
