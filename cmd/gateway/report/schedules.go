package report

import (
	"time"

	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/api/steer"
)

// Schedules shows when each fires next, in its own zone.
func Schedules(a *screen.Screen, schedules []steer.Schedule) {
	var rows [][]screen.Cell
	for _, s := range schedules {
		firings := s.Firings
		if len(firings) == 0 {
			firings = []steer.Firing{{}}
		}
		for i, f := range firings {
			row := []screen.Cell{screen.Text(s.Name), screen.Text(s.Spec), firing(s, f), screen.Text(a.Until(f.At)), screen.Text(jitter(f)), screen.Text(a.Age(s.Last))}
			if i > 0 {
				row[0], row[1], row[5] = screen.Text(""), screen.Text(""), screen.Text("")
			}
			rows = append(rows, row)
		}
	}
	a.Table([]string{"SCHEDULE", "SPEC", "FIRES", "IN", "JITTER", "LAST"}, rows)
}

func firing(s steer.Schedule, f steer.Firing) screen.Cell {
	switch {
	case s.PausedInFile:
		return screen.Yellow.Text("paused in the file")
	case s.Paused:
		return screen.Yellow.Text("paused")
	case f.At.IsZero():
		return screen.Dim.Text("never again")
	}
	return screen.Text(f.At.Format("Mon " + time.RFC3339))
}

func jitter(f steer.Firing) string {
	if f.At.Equal(f.Slot) {
		return "-"
	}
	return "+" + screen.Short(f.At.Sub(f.Slot))
}
