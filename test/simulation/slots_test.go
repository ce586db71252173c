package simulation

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// When schedules are due, worked out minute by minute by what clocks on walls
// show: slow, and nothing of it is the gateway's own code.

// change of a clock: where, and when it is put forward or back.
type clockChange struct {
	zone string
	at   time.Time
}

var clockChanges = []clockChange{
	{"Europe/Berlin", time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)},
	{"Europe/Berlin", time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)},
	{"America/New_York", time.Date(2027, 3, 14, 7, 0, 0, 0, time.UTC)},
	{"America/New_York", time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC)},
	{"Australia/Lord_Howe", time.Date(2026, 10, 3, 15, 30, 0, 0, time.UTC)},
	{"Asia/Kolkata", time.Date(2026, 5, 5, 5, 5, 0, 0, time.UTC)}, // none: nothing changes there
}

// fixedTimes are expressions with a fixed hour; others follow the time that has
// passed.
var crons = []string{"*/2 * * * *", "30 2 * * *", "0,15,30,45 1-3 * * *", "0 3 * * *", "30 1 * * *", "15 2 * * *", "*/5 2 * * *", "1 */1 * * *"}

func randomTimings(r *rand.Rand, zone string) map[string]*timing {
	all := map[string]*timing{}
	for i := range r.IntN(3) {
		s := &timing{
			missed: []string{"none", "latest", "all"}[r.IntN(3)], overlap: []string{"allow", "allow", "skip", "queue"}[r.IntN(4)],
		}
		switch r.IntN(4) {
		case 0:
			s.skip = true
		case 1:
			s.both = true
		}
		if r.IntN(2) == 0 {
			s.every = time.Duration(2+r.IntN(20)) * time.Second
		} else {
			s.cron, s.zone = crons[r.IntN(len(crons))], zone
		}
		all["s"+strconv.Itoa(i)] = s
	}
	return all
}

// slots are all times at which it is due after one moment and until another.
func (s *timing) slots(after, until time.Time) (list []time.Time) {
	if s.every > 0 {
		for at := after.Truncate(time.Second); !at.After(until); at = at.Add(time.Second) {
			if at.After(after) && at.Unix()%int64(s.every/time.Second) == 0 {
				list = append(list, at)
			}
		}
		return list
	}
	loc, err := time.LoadLocation(s.zone)
	if err != nil {
		panic(err)
	}
	fields := strings.Fields(s.cron)
	fixed := !strings.HasPrefix(fields[1], "*")
	begin := after.Truncate(time.Minute)
	shown := time.Time{} // the latest that clocks have shown
	for at := begin.Add(-4 * time.Hour); !at.After(begin); at = at.Add(time.Minute) {
		shown = latest(shown, wall(at, loc))
	}
	for at := begin.Add(time.Minute); !at.After(until); at = at.Add(time.Minute) {
		w := wall(at, loc)
		due := matchesClock(fields, w) && (!fixed || s.both || w.After(shown))
		for gone := shown.Add(time.Minute); gone.Before(w); gone = gone.Add(time.Minute) {
			due = due || fixed && !s.skip && matchesClock(fields, gone)
		}
		shown = latest(shown, w)
		if due && at.After(after) {
			list = append(list, at)
		}
	}
	return list
}

// wall is what a clock there shows, as if it were in UTC.
func wall(at time.Time, loc *time.Location) time.Time {
	_, offset := at.In(loc).Zone()
	return at.UTC().Add(time.Duration(offset) * time.Second)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func matchesClock(fields []string, w time.Time) bool {
	return matchesField(fields[0], w.Minute()) && matchesField(fields[1], w.Hour())
}

// matchesField knows as much of cron as the list above needs.
func matchesField(field string, value int) bool {
	for part := range strings.SplitSeq(field, ",") {
		from, to, isRange := strings.Cut(part, "-")
		step, isStep := strings.CutPrefix(part, "*/")
		switch {
		case part == "*",
			isStep && value%mustNumber(step) == 0,
			isRange && value >= mustNumber(from) && value <= mustNumber(to),
			!isRange && !isStep && part != "*" && value == mustNumber(part):
			return true
		}
	}
	return false
}

func mustNumber(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}
