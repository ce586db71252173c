//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// report is all that was measured.
type report struct {
	Options    options   `json:"options"`
	Machine    machine   `json:"machine"`
	DiskBefore disk      `json:"disk_before"`
	DiskAfter  disk      `json:"disk_after"`
	Medians    []summary `json:"medians"`
	Runs       []figures `json:"runs"`
}

// summary is the medians of a scenario over its rounds.
type summary struct {
	figures
	Goal float64 `json:"goal,omitempty"`
	// Lowest and Highest ratio of a round.
	Lowest  float64 `json:"lowest_ratio"`
	Highest float64 `json:"highest_ratio"`

	what string
}

// summarise puts ratios into the runs and takes medians over them.
func (r *report) summarise(list []scenario) {
	bare := map[int]figures{}
	for _, f := range r.Runs {
		if f.Scenario == bareName {
			bare[f.Round] = f
		}
	}
	for i := range r.Runs {
		f := &r.Runs[i]
		if base, ok := bare[f.Round]; ok {
			f.Ratio, f.CPURatio = f.Rate/base.Rate, base.cpu()/f.cpu()
			f.P99Ratio = float64(f.P99) / float64(base.P99)
		}
	}
	for _, s := range list {
		r.Medians = append(r.Medians, r.summary(s))
	}
}

func (r *report) summary(s scenario) summary {
	var runs []figures
	for _, f := range r.Runs {
		if f.Scenario == s.name {
			runs = append(runs, f)
		}
	}
	mid := func(of func(figures) float64) float64 { return median(runs, of) }
	m := summary{Goal: s.goals[r.Options.Connections], what: s.what, figures: figures{
		Scenario: s.name,
		Rate:     mid(func(f figures) float64 { return f.Rate }),
		Ratio:    mid(func(f figures) float64 { return f.Ratio }),
		CPURatio: mid(func(f figures) float64 { return f.CPURatio }),
		result: result{
			P50: time.Duration(mid(func(f figures) float64 { return float64(f.P50) })),
			P99: time.Duration(mid(func(f figures) float64 { return float64(f.P99) })),
		},
		ServerCPU:       mid(func(f figures) float64 { return f.ServerCPU }),
		EngineCPU:       mid(func(f figures) float64 { return f.EngineCPU }),
		GeneratorCPU:    mid(func(f figures) float64 { return f.GeneratorCPU }),
		Others:          mid(func(f figures) float64 { return f.Others }),
		ServerMemory:    int64(mid(func(f figures) float64 { return float64(f.ServerMemory) })),
		EngineMemory:    int64(mid(func(f figures) float64 { return float64(f.EngineMemory) })),
		EventsPerCommit: mid(func(f figures) float64 { return f.EventsPerCommit }),
		Allocations:     mid(func(f figures) float64 { return f.Allocations }),
		Allocated:       mid(func(f figures) float64 { return f.Allocated }),
		P99Ratio:        mid(func(f figures) float64 { return f.P99Ratio }),
	}}
	span := func(of func(figures) time.Duration) time.Duration {
		return time.Duration(mid(func(f figures) float64 { return float64(of(f)) }))
	}
	m.Ready, m.Reload = span(func(f figures) time.Duration { return f.Ready }), span(func(f figures) time.Duration { return f.Reload })
	m.Slowest, m.SlowestElse = span(func(f figures) time.Duration { return f.Slowest }), span(func(f figures) time.Duration { return f.SlowestElse })
	m.LongestReload = span(func(f figures) time.Duration { return f.LongestReload })
	for i, f := range runs {
		m.Levels = f.Levels
		if i == 0 || f.Ratio < m.Lowest {
			m.Lowest = f.Ratio
		}
		m.Highest = max(m.Highest, f.Ratio)
	}
	return m
}

func median(runs []figures, of func(figures) float64) float64 {
	values := make([]float64, 0, len(runs))
	for _, f := range runs {
		values = append(values, of(f))
	}
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 0 {
		return (values[middle-1] + values[middle]) / 2
	}
	return values[middle]
}

const head = "events/s\tratio\tby CPU\tp50 ms\tp99 ms\tCPU µs: server\tengine\tload\tothers\tMiB: server\tengine\tallocs\tKiB\tevents/flush\t"

func (r *report) print(out io.Writer) {
	o := r.Options
	fmt.Fprintf(out, "%d CPUs, %s, Linux %s; %d connections, 1 KiB signed bodies of %d texts, %d rounds of %s after %s of warm-up\n",
		r.Machine.CPUs, r.Machine.Go, r.Machine.Kernel, o.Connections, o.Bodies*o.Threads, o.Rounds, o.Duration, o.Warmup)
	fmt.Fprintf(out, "append and fdatasync a second: 1 KiB %.0f before, %.0f after; 64 KiB %.0f before, %.0f after\n\n",
		r.DiskBefore.Small, r.DiskAfter.Small, r.DiskBefore.Large, r.DiskAfter.Large)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "round\tscenario\t"+head)
	for _, f := range r.Runs {
		fmt.Fprintf(t, "%d\t%s\t%s\n", f.Round, f.Scenario, f.row())
	}
	for _, m := range r.Medians {
		fmt.Fprintf(t, "median\t%s\t%s\n", m.Scenario, m.row())
	}
	_ = t.Flush()
	fmt.Fprintln(out)
	for _, m := range r.Medians {
		fmt.Fprintf(out, "%-11s %s: %s\n", m.Scenario, m.says(r.DiskBefore.Small), m.what)
	}
}

// says is what to remember of a scenario.
func (m summary) says(flushes float64) string {
	if m.Reload > 0 {
		return fmt.Sprintf("in force after %s (longest %s); slowest request that met one %s, else %s",
			short(m.Reload), short(m.LongestReload), short(m.Slowest), short(m.SlowestElse))
	}
	if n := len(m.Levels); n > 0 {
		l := m.Levels[n-1]
		return fmt.Sprintf("%.0f a second for %s: p99 %s, in the end %d MiB, %d descriptors, %d goroutines, %d MiB on the disk, all flat",
			m.Rate, l.At.Round(time.Second), short(m.P99), l.Memory>>20, l.Descriptors, l.Goroutines, l.Disk>>20)
	}
	text := fmt.Sprintf("%.2f of bare (%.2f to %.2f; by CPU %.2f)%s, %.1f times what the disk flushes",
		m.Ratio, m.Lowest, m.Highest, m.CPURatio, m.verdict(), m.Rate/flushes)
	if m.Ready > 0 {
		return fmt.Sprintf("ready after %s, %d MiB; drained at %s", short(m.Ready), m.ServerMemory>>20, text)
	}
	return text + fmt.Sprintf(", p99 %.2f of bare's", m.P99Ratio)
}

func short(d time.Duration) string { return d.Round(100 * time.Microsecond).String() }

func (f figures) row() string {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return fmt.Sprintf("%.0f\t%.2f\t%.2f\t%.2f\t%.2f\t%.1f\t%.1f\t%.1f\t%.2f\t%d\t%d\t%.0f\t%.1f\t%.1f\t",
		f.Rate, f.Ratio, f.CPURatio, ms(f.P50), ms(f.P99), f.ServerCPU, f.EngineCPU, f.GeneratorCPU, f.Others,
		f.ServerMemory>>20, f.EngineMemory>>20, f.Allocations, f.Allocated/1024, f.EventsPerCommit)
}

func (m summary) verdict() string {
	switch {
	case m.Goal == 0:
		return ""
	case m.Ratio >= m.Goal:
		return fmt.Sprintf(", goal %.2f met", m.Goal)
	}
	return fmt.Sprintf(", goal %.2f missed", m.Goal)
}
