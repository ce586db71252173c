package sdk

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// Func is a function as an Engine; it gets every workflow.
type Func func(ctx context.Context, r *Request) (Result, error)

// Run calls f.
func (f Func) Run(ctx context.Context, r *Request) (Result, error) { return f(ctx, r) }

// Workflows is an Engine with one function for each workflow, by name.
type Workflows map[string]Func

// Run calls the workflow's function.
func (w Workflows) Run(ctx context.Context, r *Request) (Result, error) {
	f, ok := w[r.Workflow]
	if !ok {
		return Result{}, Permanent(unknownWorkflow(r.Workflow, slices.Collect(maps.Keys(w))))
	}
	return f(ctx, r)
}

// Describe lists the names.
func (w Workflows) Describe(context.Context) (Description, error) {
	var d Description
	for _, name := range slices.Sorted(maps.Keys(w)) {
		d.Workflows = append(d.Workflows, Workflow{Name: name})
	}
	return d, nil
}

func unknownWorkflow(name string, known []string) error {
	if near := nearest(name, known); near != "" {
		return fmt.Errorf("unknown workflow %q (did you mean %q?)", name, near)
	}
	return fmt.Errorf("unknown workflow %q", name)
}

// nearest is the known name that differs from name in the fewest letters,
// or nothing when none is near enough to be a slip of the pen.
func nearest(name string, known []string) string {
	best, least := "", 1+max(min(2, len(name)-1), len(name)/3)
	for _, k := range slices.Sorted(slices.Values(known)) {
		if len(k) > 256 || len(name) > 256 {
			continue
		}
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is Levenshtein's, one row at a time.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substituted := diagonal
			if a[i] != b[j] {
				substituted++
			}
			diagonal = row[j+1]
			row[j+1] = min(substituted, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
