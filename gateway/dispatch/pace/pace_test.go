package pace

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Whenever it is asked, no window has more starts than its rate allows, and
// none is refused that a window has room for.
func TestExact(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 0))
		rate := Rate{Count: 1 + r.IntN(5), Window: 100}
		s, now, all := &Starts{}, time.Unix(0, 0), []time.Time(nil)
		s.Keep(rate)
		for range 2000 {
			now = now.Add(time.Duration(r.IntN(40)))
			inside := 0
			for i := len(all) - 1; i >= 0 && now.Sub(all[i]) < rate.Window; i-- {
				inside++
			}
			if got, want := s.Free(now), inside < rate.Count; got != want {
				t.Fatalf("seed %d: %d of %d started, free: %t", seed, inside, rate.Count, got)
			}
			if !s.Free(now) {
				continue
			}
			s.Count(now)
			switch r.IntN(4) {
			case 0: // in vain
				s.Drop(now)
			case 1: // later than it seemed
				s.Drop(now)
				now = now.Add(time.Duration(r.IntN(10)))
				s.Count(now)
				fallthrough
			default:
				all = append(all, now)
			}
			if len(s.at) > 2*rate.Count+1 {
				t.Fatalf("seed %d: keeps %d starts for a rate of %d", seed, len(s.at), rate.Count)
			}
		}
	}
}

func TestRecall(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	s := Recall([]time.Time{now.Add(time.Hour), now.Add(-30 * time.Second), now.Add(-90 * time.Second)}, now)
	s.Keep(Rate{Count: 2, Window: time.Minute})
	if s.Free(now) || !s.Free(now.Add(30*time.Second)) || !s.Last().Equal(now) {
		t.Errorf("recalled %v", s.at)
	}
	s.Keep(Rate{Count: 3, Window: 2 * time.Minute})
	if s.Free(now) || !s.Free(now.Add(30*time.Second)) {
		t.Errorf("another rate does not count what was started before: %v", s.at)
	}
	if none := (*Starts)(nil); !none.Free(now) {
		t.Error("no rate is a rate")
	}
}

// What is written of a start is not earlier than it begins, however long that
// takes, and makes nobody forget what still counts.
func TestStartIsWritten(t *testing.T) {
	begin := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	all := &Starts{}
	all.Keep(Rate{Count: 3, Window: time.Minute})
	all.Count(begin)
	now := begin.Add(30 * time.Second)
	var s Start
	for _, took := range []time.Duration{10 * time.Second, 15 * time.Second} {
		s.Count(all, now)
		at, window := s.Latest(all)
		if at.Before(now.Add(leadTime)) || at.Add(-window).After(now.Add(-time.Minute)) {
			t.Errorf("at %v: written as of %v, for %v", now.Sub(begin), at.Sub(begin), window)
		}
		timely := !now.Add(took).After(at)
		now = now.Add(took)
		if began := s.Begin(all, now); began != timely || s.Counts() != timely {
			t.Errorf("at %v: began %t, want %t", now.Sub(begin), began, timely)
		}
	}
	if !s.Counts() || !all.Last().Equal(now) {
		t.Errorf("it never began: %+v of %+v", s, all)
	}
}
