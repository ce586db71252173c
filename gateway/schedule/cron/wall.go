package cron

import (
	"math/bits"
	"time"
)

// Wall clock times are written as times in UTC; they know no zones.

// horizon is how many years a search goes on: the 29th of February falls on a
// given weekday at least once in 40 years.
const horizon = 41

// from is the first wall clock time at or after t that is in the set.
func (e *Expr) from(t time.Time) (time.Time, bool) {
	for end := t.Year() + horizon; t.Year() <= end; {
		year, month, day := t.Date()
		hour, minute, second := t.Clock()
		switch {
		case e.month>>month&1 == 0:
			t = time.Date(year, month+1, 1, 0, 0, 0, 0, time.UTC)
		case !e.hasDay(t):
			t = time.Date(year, month, day+1, 0, 0, 0, 0, time.UTC)
		case e.hour>>hour&1 == 0:
			t = time.Date(year, month, day, after(e.hour, hour, 24), 0, 0, 0, time.UTC)
		case e.minute>>minute&1 == 0:
			t = time.Date(year, month, day, hour, after(e.minute, minute, 60), 0, 0, time.UTC)
		case e.second>>second&1 == 0:
			t = time.Date(year, month, day, hour, minute, after(e.second, second, 60), 0, time.UTC)
		default:
			return t, true
		}
	}
	return time.Time{}, false
}

// after is the next member of a set beyond v, or limit.
func after(set uint64, v, limit int) int {
	return min(limit, v+1+bits.TrailingZeros64(set>>(v+1)))
}

func (e *Expr) hasDay(t time.Time) bool {
	day, weekday, left := t.Day(), int(t.Weekday()), 0
	if e.day.placed|e.weekday.placed != 0 {
		left = daysLeft(t)
	}
	ofMonth := (e.day.bits>>day|e.day.placed>>left)&1 == 1
	ofWeek := (e.weekday.bits>>weekday|e.weekday.placed>>(6*weekday+(day+6)/7))&1 == 1 ||
		left < 7 && e.weekday.placed>>(6*weekday)&1 == 1
	if e.anyDay || e.anyWeekday {
		return ofMonth && ofWeek
	}
	return ofMonth || ofWeek
}

// daysLeft is how many days the month has after this one.
func daysLeft(t time.Time) int {
	return time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day() - t.Day()
}
