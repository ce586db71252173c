package cron

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	robfig "github.com/robfig/cron/v3"
)

// TestAgainstLibrary compares with a library that thousands use, on days without
// a change of the clock, with expressions made up at random. What it reads in
// another way, a step on * beside the other kind of day, is not asked.
func TestAgainstLibrary(t *testing.T) {
	t.Parallel()
	library := robfig.NewParser(robfig.Second | robfig.Minute | robfig.Hour | robfig.Dom | robfig.Month | robfig.Dow)
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		words := make([]string, 6)
		for i, f := range fields() {
			words[i] = someField(random, f)
		}
		if i := 3 + 2*random.IntN(2); strings.Contains(words[3]+words[5], "*/") {
			words[i] = "*"
		}
		expr := strings.Join(words, " ")
		theirs, err := library.Parse(expr)
		if err != nil {
			t.Fatalf("%s: %v", expr, err)
		}
		ours, err := Parse(expr, "")
		if err != nil {
			continue // the library lets pass what never fires
		}
		at := time.Date(2000+random.IntN(30), 1, 1, 0, 0, random.IntN(1e8), 0, time.UTC)
		for range 20 {
			want, got := theirs.Next(at), ours.Next(at, time.UTC, DST{})
			if want.IsZero() {
				break // it searches five years
			}
			if !got.Equal(want) {
				t.Fatalf("%s after %s: got %s, want %s", expr, at, got, want)
			}
			at = got
		}
	}
}

func someField(random *rand.Rand, f field) string {
	value := func() int { return f.min + random.IntN(f.last()-f.min+1) }
	name := func(v int) string {
		if i := 3 * (v - f.min); f.names != "" && random.IntN(2) == 0 {
			return f.names[i : i+3]
		}
		return fmt.Sprint(v)
	}
	one := func() string {
		a, b := value(), value()
		switch random.IntN(4) {
		case 0:
			return name(min(a, b)) + "-" + name(max(a, b))
		case 1:
			return fmt.Sprintf("%s/%d", name(a), 1+random.IntN(9))
		case 2:
			return fmt.Sprintf("%s-%s/%d", name(min(a, b)), name(max(a, b)), 1+random.IntN(9))
		}
		return name(a)
	}
	switch random.IntN(5) {
	case 0, 1:
		return "*"
	case 2:
		return fmt.Sprintf("*/%d", 1+random.IntN(9))
	case 3:
		return strings.Join(slices.Collect(func(yield func(string) bool) {
			for i := 0; i < 3 && yield(one()); i++ {
			}
		}), ",")
	}
	return one()
}
