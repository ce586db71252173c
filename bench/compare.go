//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"
)

// compare prints two reports side by side: ratios, because those of two hours or
// of two machines can be compared, and rates cannot.
func compare(out io.Writer, before, after string) error {
	old, err := readReport(before)
	if err != nil {
		return err
	}
	now, err := readReport(after)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "scenario\tfigure\tbefore\tafter\tchange\t")
	for _, a := range now.Medians {
		for _, b := range old.Medians {
			if a.Scenario == b.Scenario {
				compareOne(t, b, a)
			}
		}
	}
	return t.Flush()
}

func readReport(path string) (r report, err error) {
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return r, err
}

func compareOne(t io.Writer, old, now summary) {
	line := func(what string, b, a float64, note string) {
		if b != 0 && a != 0 {
			fmt.Fprintf(t, "%s\t%s\t%.3g\t%.3g\t%+.0f %%\t%s\n", now.Scenario, what, b, a, 100*(a/b-1), note)
		}
	}
	note := "within the scatter of the rounds"
	if now.Lowest > old.Highest || now.Highest < old.Lowest {
		note = "outside of it"
	}
	ms := func(d time.Duration) float64 { return d.Seconds() * 1000 }
	line("of bare", old.Ratio, now.Ratio, note)
	line("of bare by CPU", old.CPURatio, now.CPURatio, "")
	line("p99 of bare's", old.P99Ratio, now.P99Ratio, "")
	line("MiB", float64(old.ServerMemory)/(1<<20), float64(now.ServerMemory)/(1<<20), "")
	line("allocations", old.Allocations, now.Allocations, "")
	line("ms to be ready", ms(old.Ready), ms(now.Ready), "")
	line("ms to reload", ms(old.Reload), ms(now.Reload), "")
	line("ms of the slowest request", ms(old.Slowest), ms(now.Slowest), "")
}
