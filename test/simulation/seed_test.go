package simulation

import (
	"slices"
	"strings"
	"testing"
)

// TestSameSeedSameHistory: a seed is a history. What is done to the gateway,
// and how what is around it behaves, is always the same; what the gateway makes
// of that mostly is, to the nanosecond. It is not where Go chooses by chance:
// which of several that may start at the same instant starts first, where the
// gateway goes over a map, and which of two channels is served first. Then two
// plays part there.
func TestSameSeedSameHistory(t *testing.T) {
	if *seed != 0 {
		t.Skip("of the history of one seed")
	}
	histories := number(40, 10)
	same := 0
	for s := *from; s < *from+uint64(histories); s++ {
		first, second := play(t, newPlan(s, large), bugs{}), play(t, newPlan(s, large), bugs{})
		if a, b := first.planned(), second.planned(); !slices.Equal(a, b) {
			t.Errorf("seed %d: other things were done to the gateway:\n%s\n%s", s, a, b)
		}
		if slices.Equal(first.sorted(), second.sorted()) {
			same++
		}
	}
	t.Logf("%d of %d histories were the same in every line", same, histories)
	if same < histories/2 {
		t.Errorf("only %d of %d histories were the same in every line", same, histories)
	}
}

// sorted are the lines of the trace, those of an instant in the order of their
// texts: they have no other.
func (h *history) sorted() []string {
	lines := strings.Split(strings.TrimSpace(h.String()), "\n")
	slices.Sort(lines)
	return lines
}

// planned are the lines about what was done to the gateway. When is not
// compared: to stop one takes as long as its runs do.
func (h *history) planned() (lines []string) {
	for _, l := range h.trace {
		if strings.HasPrefix(l.text, "#") {
			lines = append(lines, l.text)
		}
	}
	return lines
}
