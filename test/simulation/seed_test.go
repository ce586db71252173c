package simulation

import (
	"slices"
	"strings"
	"testing"
)

// TestSameSeedSameHistory: a seed is a history, line by line. So a failure can
// be played again, and what is found at some seed is no luck.
func TestSameSeedSameHistory(t *testing.T) {
	if *seed != 0 {
		t.Skip("of the history of one seed")
	}
	for s := *from; s < *from+uint64(number(60, 6)); s++ {
		first, second := play(t, newPlan(s, large), bugs{}).sorted(), play(t, newPlan(s, large), bugs{}).sorted()
		if slices.Equal(first, second) {
			continue
		}
		i := 0
		for i < min(len(first), len(second)) && first[i] == second[i] {
			i++
		}
		t.Errorf("seed %d, played twice, parts at line %d:\n%s\n%s", s, i, lineOf(first, i), lineOf(second, i))
	}
}

func lineOf(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(the end)"
}

// sorted are the lines of the trace, those of an instant in the order of their
// texts: they have no other.
func (h *history) sorted() []string {
	lines := strings.Split(strings.TrimSpace(h.String()), "\n")
	slices.Sort(lines)
	return lines
}
