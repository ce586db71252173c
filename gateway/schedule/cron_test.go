package schedule

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func parse(t testing.TB, expr string) Cron {
	t.Helper()
	c, err := Parse(expr)
	if err != nil {
		t.Fatalf("%q: %v", expr, err)
	}
	return c
}

func TestNext(t *testing.T) {
	t.Parallel()
	tests := []struct {
		expr, zone, after string
		want              []string
	}{
		{"30 2 * * *", "America/New_York", "2026-03-07T00:00:00-05:00", []string{"2026-03-07T02:30:00-05:00", "2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"}},
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00+01:00", []string{"2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"}},
		{"30 1 * * *", "America/New_York", "2026-11-01T00:00:00-04:00", []string{"2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"}},
		{"30 2 * * *", "Europe/Berlin", "2026-10-25T00:00:00+02:00", []string{"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
		{"15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00+10:30", []string{"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"}},
		{"0 0 * * *", "Asia/Beirut", "2026-03-28T12:00:00+02:00", []string{"2026-03-29T01:00:00+03:00", "2026-03-30T00:00:00+03:00"}},
		{"0 * * * *", "America/New_York", "2026-11-01T00:30:00-04:00", []string{"2026-11-01T01:00:00-04:00", "2026-11-01T01:00:00-05:00", "2026-11-01T02:00:00-05:00"}},
		{"*/30 * * * *", "Europe/Berlin", "2026-03-29T01:15:00+01:00", []string{"2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00"}},
		{"0 12 * * *", "Pacific/Apia", "2011-12-29T13:00:00-10:00", []string{"2011-12-31T00:00:00+14:00", "2011-12-31T12:00:00+14:00"}},
		{"0,30 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00:00+01:00", []string{"2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00", "2026-03-30T02:00:00+02:00"}},
		{"0 0 13 * 5", "UTC", "2026-02-01T00:00:00Z", []string{"2026-02-06T00:00:00Z", "2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z", "2026-02-27T00:00:00Z", "2026-03-06T00:00:00Z", "2026-03-13T00:00:00Z"}},
		{"0 0 */10 * 1", "UTC", "2026-06-01T00:00:00Z", []string{"2026-08-31T00:00:00Z", "2026-09-21T00:00:00Z"}},
		{"0 9 * * 7", "UTC", "2026-11-23T00:00:00Z", []string{"2026-11-29T09:00:00Z"}},
		{"0 9 * * fri-sun", "UTC", "2026-11-23T00:00:00Z", []string{"2026-11-27T09:00:00Z", "2026-11-28T09:00:00Z", "2026-11-29T09:00:00Z", "2026-12-04T09:00:00Z"}},
		{"0 0 29 FEB *", "UTC", "2096-03-01T00:00:00Z", []string{"2104-02-29T00:00:00Z"}},
		{"0 0 29 2 */7", "UTC", "2026-01-01T00:00:00Z", []string{"2032-02-29T00:00:00Z"}},
		{"5-20/5,59 22 31 12 *", "UTC", "2026-01-01T00:00:00Z", []string{"2026-12-31T22:05:00Z", "2026-12-31T22:10:00Z", "2026-12-31T22:15:00Z", "2026-12-31T22:20:00Z", "2026-12-31T22:59:00Z"}},
		{"50/4 0 1 1 *", "UTC", "2026-01-01T00:00:00Z", []string{"2026-01-01T00:50:00Z", "2026-01-01T00:54:00Z", "2026-01-01T00:58:00Z", "2027-01-01T00:50:00Z"}},
		{"@hourly", "UTC", "2026-01-01T00:00:30Z", []string{"2026-01-01T01:00:00Z"}},
		{"@daily", "UTC", "2026-01-01T00:00:00Z", []string{"2026-01-02T00:00:00Z"}},
		{"@weekly", "UTC", "2026-01-01T00:00:00Z", []string{"2026-01-04T00:00:00Z"}},
		{"@monthly", "UTC", "2026-01-01T00:00:00Z", []string{"2026-02-01T00:00:00Z"}},
		{"@yearly", "UTC", "2026-01-01T00:00:00Z", []string{"2027-01-01T00:00:00Z"}},
	}
	for _, tt := range tests {
		t.Run(tt.expr+" "+tt.zone, func(t *testing.T) {
			t.Parallel()
			c, loc := parse(t, tt.expr), zone(t, tt.zone)
			at, err := time.Parse(time.RFC3339, tt.after)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.want {
				at = c.Next(at, loc)
				if got := at.In(loc).Format(time.RFC3339); got != want {
					t.Fatalf("got %s, want %s", got, want)
				}
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		expr    string
		column  int
		message string
	}{
		{"", 1, "minute is missing"},
		{"0 2 * *", 8, "day of week is missing"},
		{"0 0 2 * * *", 11, "6 fields where 5 are known"},
		{"60 * * * *", 1, "minute: 60 is not between 0 and 59"},
		{"0 24 * * *", 3, "hour: 24 is not between"},
		{"0 0 0 * *", 5, "day of month: 0 is not between 1 and 31"},
		{"0 0 * foo *", 7, `month: "foo" is not a value`},
		{"0 0 * * 8", 9, "day of week: 8 is not between"},
		{"0 0 1,2,x * *", 9, `"x" is not a value`},
		{"0 0 1,,2 * *", 7, "a value is missing"},
		{"0 22-2 * * *", 3, `range "22-2" goes backwards`},
		{"*/0 * * * *", 3, `step "0" is not a number above 0`},
		{"0-30/x * * * *", 6, `step "x"`},
		{"0 -1 * * *", 3, "a value is missing"},
		{"0 5- * * *", 5, "a value is missing"},
		{"0 0 30 2 *", 5, "never fires"},
		{"0 0 31 2,4,6,9,11 *", 5, "never fires"},
		{"  @every 5m", 3, "for an interval write every:"},
		{"CRON_TZ=UTC 0 0 * * *", 1, "timezone:"},
		{"0 0 L * *", 5, `"L" is not a value`},
		{"0 0 ü * * *", 11, "6 fields"},
	}
	for _, tt := range tests {
		_, err := Parse(tt.expr)
		var m *Mistake
		if !errors.As(err, &m) || m.Column != tt.column || !strings.Contains(m.Message, tt.message) {
			t.Errorf("%q: got %+v, want %d %s", tt.expr, err, tt.column, tt.message)
		}
	}
}

var oracleZones = []string{
	"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Beirut", "Pacific/Apia", "UTC",
}

var oracleExprs = []string{
	"30 2 * * *", "30 1 * * *", "0 0 * * *", "15 2 * * *", "0 * * * *", "*/7 * * * *", "59 23 * * *",
	"0,30 1-3 * * *", "* 2 * * *", "10 */2 * * *", "0 3 * * 0", "45 1 1-7 3,10 sun", "5 0,1,2,3,4 * * 0,1", "0 12 30 12 *",
}

// TestNextAgainstBruteForce walks minute by minute over the days around every
// change of the clock from 2000 to 2037, with the rules spelled out.
func TestNextAgainstBruteForce(t *testing.T) {
	t.Parallel()
	for _, name := range oracleZones {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loc := zone(t, name)
			changes := transitions(loc)
			if (len(changes) == 0) != (name == "UTC") {
				t.Fatalf("%d changes of the clock", len(changes))
			}
			for _, expr := range oracleExprs {
				c := parse(t, expr)
				for _, at := range append(changes, time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)) {
					compare(t, expr, c, loc, at)
				}
			}
		})
	}
}

func transitions(loc *time.Location) []time.Time {
	var all []time.Time
	end := time.Date(2038, 1, 1, 0, 0, 0, 0, time.UTC)
	for at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC); ; {
		_, next := at.In(loc).ZoneBounds()
		if next.IsZero() || next.After(end) {
			return all
		}
		all, at = append(all, next), next
	}
}

// compare checks the chain of Next over three days around a moment.
func compare(t *testing.T, expr string, c Cron, loc *time.Location, around time.Time) {
	t.Helper()
	begin, end := around.Add(-36*time.Hour).Truncate(time.Minute), around.Add(36*time.Hour)
	var want []time.Time
	shown := wallClock(begin, loc)
	for at := begin.Add(time.Minute); at.Before(end); at = at.Add(time.Minute) {
		wall := wallClock(at, loc)
		fires := c.anyHour && matches(c, wall)
		// The clock shows, or has jumped over, times that it never showed before.
		for !c.anyHour && shown.Before(wall) {
			shown = shown.Add(time.Minute)
			fires = fires || matches(c, shown)
		}
		if fires {
			want = append(want, at)
		}
	}
	at := begin
	for _, w := range want {
		if at = c.Next(at, loc); !at.Equal(w) {
			t.Fatalf("%s around %s: got %s, want %s", expr, around.In(loc), at.In(loc), w.In(loc))
		}
	}
	if next := c.Next(at, loc); !next.IsZero() && next.Before(end) {
		t.Fatalf("%s around %s: one too many: %s", expr, around.In(loc), next.In(loc))
	}
}

// matches is the rule read aloud, without the searching.
func matches(c Cron, wall time.Time) bool {
	in := func(set uint64, v int) bool { return set&(1<<v) != 0 }
	if !in(c.minute, wall.Minute()) || !in(c.hour, wall.Hour()) || !in(c.month, int(wall.Month())) {
		return false
	}
	day, weekday := in(c.day, wall.Day()), in(c.weekday, int(wall.Weekday()))
	if !c.anyDay && !c.anyWeekday {
		return day || weekday
	}
	return day && weekday
}

// A fixed daily time fires once for every date there ever was or was skipped.
func TestOnceADay(t *testing.T) {
	t.Parallel()
	for _, name := range oracleZones {
		loc, c := zone(t, name), parse(t, "30 1 * * *")
		at := time.Date(2000, 1, 1, 0, 0, 0, 0, loc)
		count := 0
		for at = c.Next(at, loc); at.Year() < 2038; at = c.Next(at, loc) {
			count++
		}
		if days := int(time.Date(2038, 1, 1, 0, 0, 0, 0, time.UTC).Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).Hours() / 24); count != days {
			t.Errorf("%s: %d runs on %d days", name, count, days)
		}
	}
}

// FuzzParse: what parses fires, strictly later each time, and only at times
// that it says; a mistake points into the expression or just behind it.
func FuzzParse(f *testing.F) {
	for _, s := range append(oracleExprs, "@daily", "0 0 29 2 */2", "5/15 * * JAN-mar fri-7", "0 0 31 2 *", "ü * * * *", "1 - * *") {
		f.Add(s)
	}
	berlin := zone(f, "Europe/Berlin")
	f.Fuzz(func(t *testing.T, expr string) {
		c, err := Parse(expr)
		if err != nil {
			var m *Mistake
			if !errors.As(err, &m) || m.Column < 1 || m.Column > len([]rune(expr))+1 {
				t.Fatalf("%q: %#v", expr, err)
			}
			return
		}
		at := time.Date(2026, 3, 28, 0, 0, 30, 0, time.UTC)
		for range 5 {
			next := c.Next(at, time.UTC)
			if !next.After(at) || !matches(c, next) {
				t.Fatalf("%q: %s after %s", expr, next, at)
			}
			if local := c.Next(at, berlin); !local.After(at) {
				t.Fatalf("%q: %s after %s in Berlin", expr, local, at)
			}
			at = next
		}
	})
}

func BenchmarkNext(b *testing.B) {
	for _, expr := range []string{"30 2 * * *", "*/5 * * * *", "0 0 29 2 *"} {
		b.Run(fmt.Sprint(expr), func(b *testing.B) {
			c, loc := parse(b, expr), zone(b, "Europe/Berlin")
			at := time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)
			for b.Loop() {
				c.Next(at, loc)
			}
		})
	}
}
