// Package simulation plays whole histories of the gateway in simulated time:
// its real stages between a store, engines and senders that fail as a seed
// says, with kills, restarts and reloads in between. A model that shares no
// code with it knows what it has promised, and looks whether it is so.
package simulation

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	seed  = flag.Uint64("seed", 0, "play the history of this seed alone, and print it")
	only  = flag.String("steps", "", "of that history, only these steps: 0,3,7-9")
	seeds = flag.Int("seeds", 0, "play so many histories")
	from  = flag.Uint64("from", 1, "the first of their seeds")
)

// TestSimulation: whatever happens, the gateway keeps its promises.
func TestSimulation(t *testing.T) { many(t, "Simulation", large, number(2000, 60)) }

// TestHistories is the same in short, and so often that what is rare happens
// too.
func TestHistories(t *testing.T) { many(t, "Histories", small, number(10000, 200)) }

// number of histories; with the race detector, which is slow, fewer.
func number(plain, raced int) int {
	switch {
	case *seeds > 0:
		return *seeds
	case race || testing.Short():
		return raced
	}
	return plain
}

// workers play at a time.
const workers = 2

// many plays the histories of many seeds, or the one that is asked for.
func many(t *testing.T, name string, of size, n int) {
	if *seed != 0 {
		one(t, of)
		return
	}
	began, total := time.Now(), tally{}
	var next, broken atomic.Uint64
	next.Store(*from)
	t.Run("seeds", func(t *testing.T) {
		for i := range workers {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				for broken.Load() < 3 {
					s := next.Add(1) - 1
					if s >= *from+uint64(n) {
						return
					}
					p := newPlan(s, of)
					if h := play(t, p, bugs{}); len(h.failures) > 0 {
						broken.Add(1)
						explain(t, name, p, h)
					} else {
						total.add(h.counts)
					}
				}
			})
		}
	})
	t.Logf("%s in %v", &total, time.Since(began).Round(time.Second))
}

// one plays the history of a seed, and prints it.
func one(t *testing.T, of size) {
	p := newPlan(*seed, of)
	if *only != "" {
		p.keep(steps(t, *only))
	}
	h := play(t, p, bugs{})
	t.Logf("seed %d\n%s", *seed, h)
	for _, f := range h.failures {
		t.Error(f)
	}
}

// explain says what was broken, in as short a history as is cheaply found, and
// how to see it again.
func explain(t *testing.T, name string, p *plan, h *history) {
	t.Helper()
	command := fmt.Sprintf("go test ./test/simulation -run %s -seed %d -v", name, p.seed)
	short := shrink(t, p, h)
	if len(short.numbers) < len(p.steps) {
		command += " -steps " + ranges(short.numbers)
	}
	t.Errorf("seed %d:\n%s\n%s\nplay it again: %s", p.seed, short, strings.Join(short.failures, "\n"), command)
}

// shrunk is a shorter history, and the numbers of the steps that are left.
type shrunk struct {
	*history
	numbers []int
}

// shrinkTime bounds the search for a shorter history, in plays.
const shrinkPlays = 150

// shrink leaves out what is not needed for the first failure: halves of the
// steps, then quarters, and so on. What becomes of a run depends on the seed and
// the run alone, so the rest stays much the same.
func shrink(t *testing.T, p *plan, h *history) shrunk {
	best := shrunk{h, nil}
	for i := range p.steps {
		best.numbers = append(best.numbers, i)
	}
	what, _, _ := strings.Cut(h.failures[0], ":")
	plays := 0
	for chunk := len(best.numbers) / 2; chunk > 0; chunk /= 2 {
		for at := 0; at < len(best.numbers) && plays < shrinkPlays; {
			rest := slices.Delete(slices.Clone(best.numbers), at, min(at+chunk, len(best.numbers)))
			less := *p
			less.keep(rest)
			plays++
			if again := play(t, &less, bugs{}); len(again.failures) > 0 && strings.HasPrefix(again.failures[0], what) {
				best = shrunk{again, rest}
			} else {
				at += chunk
			}
		}
	}
	return best
}

// keep leaves out all other steps.
func (p *plan) keep(numbers []int) {
	var kept []step
	for _, s := range p.steps {
		if slices.Contains(numbers, s.n) {
			kept = append(kept, s)
		}
	}
	p.steps = kept
}

// ranges writes numbers as -steps has them, steps reads them.
func ranges(numbers []int) string {
	var parts []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		part := strconv.Itoa(numbers[i])
		if j > i {
			part += "-" + strconv.Itoa(numbers[j])
		}
		parts, i = append(parts, part), j+1
	}
	return strings.Join(parts, ",")
}

func steps(t *testing.T, text string) (list []int) {
	t.Helper()
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		a, err := strconv.Atoi(first)
		b := a
		if isRange && err == nil {
			b, err = strconv.Atoi(last)
		}
		if err != nil {
			t.Fatalf("-steps %s: %v", text, err)
		}
		for n := a; n <= b; n++ {
			list = append(list, n)
		}
	}
	return list
}

// tally is what happened in many histories.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *tally) add(counts map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	for what, n := range counts {
		c.counts[what] += n
	}
}

func (c *tally) String() string {
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(c.counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", c.counts[what], what))
	}
	return strings.Join(parts, ", ")
}
