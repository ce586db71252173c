package cron

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

func parse(t testing.TB, expr string) *Expr {
	t.Helper()
	e, err := Parse(expr, "some name")
	if err != nil {
		t.Fatalf("%q: %v", expr, err)
	}
	return &e
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
		{"30 0 12 * * *", "UTC", "2026-01-01T00:00:00Z", []string{"2026-01-01T12:00:30Z", "2026-01-02T12:00:30Z"}},
		{"*/20 59 23 * * *", "UTC", "2026-01-01T23:59:10Z", []string{"2026-01-01T23:59:20Z", "2026-01-01T23:59:40Z", "2026-01-02T23:59:00Z"}},
		{"10 30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00+01:00", []string{"2026-03-29T03:00:00+02:00", "2026-03-30T02:30:10+02:00"}},
		{"0 0 L * *", "UTC", "2024-01-31T00:00:00Z", []string{"2024-02-29T00:00:00Z", "2024-03-31T00:00:00Z", "2024-04-30T00:00:00Z"}},
		{"0 0 l-2,1 2 *", "UTC", "2023-01-31T00:00:00Z", []string{"2023-02-01T00:00:00Z", "2023-02-26T00:00:00Z", "2024-02-01T00:00:00Z", "2024-02-27T00:00:00Z"}},
		{"0 0 * * friL", "UTC", "2026-01-01T00:00:00Z", []string{"2026-01-30T00:00:00Z", "2026-02-27T00:00:00Z", "2026-03-27T00:00:00Z"}},
		{"0 0 * * 7L,mon#1", "UTC", "2026-02-01T00:00:00Z", []string{"2026-02-02T00:00:00Z", "2026-02-22T00:00:00Z", "2026-03-02T00:00:00Z"}},
		{"0 0 * * Tue#5", "UTC", "2026-01-01T00:00:00Z", []string{"2026-03-31T00:00:00Z", "2026-06-30T00:00:00Z"}},
		{"0 0 L * mon#2", "UTC", "2026-01-01T00:00:00Z", []string{"2026-01-12T00:00:00Z", "2026-01-31T00:00:00Z", "2026-02-09T00:00:00Z", "2026-02-28T00:00:00Z"}},
		{"@yearly", "UTC", "2026-01-01T00:00:00Z", []string{"2027-01-01T00:00:00Z"}},
	}
	for _, tt := range tests {
		t.Run(tt.expr+" "+tt.zone, func(t *testing.T) {
			t.Parallel()
			e, loc := parse(t, tt.expr), zone(t, tt.zone)
			at, err := time.Parse(time.RFC3339, tt.after)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.want {
				at = e.Next(at, loc, DST{})
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
		{"0 0 2 * * * 2026", 13, "7 fields; at most 6 are known"},
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
		{"0 0 ü * * * *", 13, "7 fields"},
		{"60 0 0 * * *", 1, "second: 60 is not between 0 and 59"},
		{"0 0 LW * *", 5, `"LW" is not L, the last day, or L-1 to L-30`},
		{"0 0 1,L-31 * *", 7, `"L-31" is not L`},
		{"0 0 L-30 2 *", 5, "never fires"},
		{"0 0 15W * *", 5, `"15W" is not a value`},
		{"0 0 ? * *", 5, `"?" is not known: write *`},
		{"0 0 * * L", 9, `"L" needs its day: fri#2`},
		{"0 0 * * #2", 9, `"#2" needs its day`},
		{"0 0 * * mon,fri#6", 17, `"6" is not a number from 1 to 5`},
		{"0 0 * * fry#2", 9, `"fry" is not a value`},
		{"0 L * * *", 3, `hour: "L" is not a value`},
		{"0 H(9) * * *", 3, `"H(9)" is not H, or H with a range`},
		{"0 H(9-25) * * *", 7, "25 is not between"},
		{"0 H(9-17 * * *", 3, "H with a range"},
		{"0 Hx * * *", 3, "H with a range"},
		{"H/0 * * * *", 3, `step "0"`},
		{"H(0-29)/x * * * *", 9, `step "x"`},
	}
	for _, tt := range tests {
		_, err := Parse(tt.expr, "some name")
		var m *Mistake
		if !errors.As(err, &m) || m.Column != tt.column || !strings.Contains(m.Message, tt.message) {
			t.Errorf("%q: got %+v, want %d %s", tt.expr, err, tt.column, tt.message)
		}
	}
}

// What comes of dst, where it says something else than to lose and double nothing.
func TestDST(t *testing.T) {
	t.Parallel()
	gap, repeat := "2026-03-29T00:00:00+01:00", "2026-10-25T00:00:00+02:00"
	tests := []struct {
		expr, after string
		dst         DST
		want        []string
	}{
		{"30 2 * * *", gap, DST{SkipGap: true}, []string{"2026-03-30T02:30:00+02:00"}},
		{"30 2 * * *", gap, DST{RepeatBoth: true}, []string{"2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"}},
		{"30 2 * * *", repeat, DST{RepeatBoth: true}, []string{"2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-26T02:30:00+01:00"}},
		{"30 2 * * *", repeat, DST{SkipGap: true}, []string{"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
		{"0 0 2,3 * * *", gap, DST{SkipGap: true, RepeatBoth: true}, []string{"2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"}},
		{"0 * * * *", "2026-03-29T01:30:00+01:00", DST{}, []string{"2026-03-29T03:00:00+02:00"}},
		{"0 * * * *", "2026-10-25T02:30:00+02:00", DST{}, []string{"2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00"}},
	}
	for _, tt := range tests {
		at, err := time.Parse(time.RFC3339, tt.after)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range tt.want {
			at = parse(t, tt.expr).Next(at, zone(t, "Europe/Berlin"), tt.dst)
			if got := at.Format(time.RFC3339); got != want {
				t.Errorf("%s %+v: got %s, want %s", tt.expr, tt.dst, got, want)
			}
		}
	}
}

// On that day the standard library is wrong about when the clock changes next.
func TestLastDayOfLeapYear(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe"} {
		loc := zone(t, name)
		for _, expr := range []string{"30 2 * * *", "30 * * * *"} {
			e := parse(t, expr)
			for at, end := time.Date(2048, 12, 30, 0, 15, 0, 0, loc), time.Date(2049, 1, 2, 0, 0, 0, 0, loc); at.Before(end); {
				next := e.Next(at, loc, DST{})
				if want := time.Hour; expr == "30 * * * *" && next.Sub(at) > want || next.Sub(at) > 27*time.Hour || !next.After(at) {
					t.Fatalf("%s %s: %s after %s", name, expr, next, at)
				}
				at = next
			}
		}
	}
}

// H spreads by name. What it gave once it gives for ever: a change would move
// every schedule that uses it.
func TestHash(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		"H H * * *":               "2026-01-01 14:04:00",
		"H H H H H *":             "2026-11-17 14:04:59",
		"H/15 * * * *":            "2026-01-01 00:04:00",
		"H(0-29)/10 H(1-4) * * *": "2026-01-01 03:04:00",
		"0 0 H * *":               "2026-01-17 00:00:00",
		"0 H H * sun":             "2026-01-04 14:00:00",
	} {
		got := parse(t, expr).Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.UTC, DST{}).Format(time.DateTime)
		if got != want {
			t.Errorf("%s: got %s, want %s", expr, got, want)
		}
	}
	minutes := map[int]int{}
	for i := range 6000 {
		e, err := Parse("H(10-29)/5 H/6 H H H", fmt.Sprint("schedule ", i))
		if err != nil {
			t.Fatal(err)
		}
		at := e.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.UTC, DST{})
		minutes[at.Minute()]++
		if e.day.bits&^(1<<29-2) != 0 {
			t.Fatalf("a day beyond the 28th: %b", e.day.bits)
		}
	}
	if len(minutes) != 5 {
		t.Errorf("first minutes %v, want 10 to 14", minutes)
	}
	for minute, n := range minutes {
		if minute < 10 || minute > 14 || n < 1000 || n > 1400 {
			t.Errorf("minute %d: %d times of 6000", minute, n)
		}
	}
}

// FuzzParse: what parses fires, strictly later each time; a mistake points into
// the expression or just behind it.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"30 2 * * *", "@daily", "0 0 29 2 */2", "5/15 * * JAN-mar fri-7", "0 0 31 2 *", "ü * * * *", "1 - * *",
		"0 0 0 L-3 * friL,mon#2", "H(0-29)/10 H * * H", "*/10 * * * * *"} {
		f.Add(s)
	}
	berlin := zone(f, "Europe/Berlin")
	f.Fuzz(func(t *testing.T, expr string) {
		e, err := Parse(expr, "n")
		if err != nil {
			var m *Mistake
			if !errors.As(err, &m) || m.Column < 1 || m.Column > len([]rune(expr))+1 {
				t.Fatalf("%q: %#v", expr, err)
			}
			return
		}
		at := time.Date(2026, 3, 28, 0, 0, 30, 0, time.UTC)
		for range 5 {
			next := e.Next(at, time.UTC, DST{})
			if again, ok := e.from(next); !next.After(at) || !ok || !again.Equal(next) {
				t.Fatalf("%q: %s after %s", expr, next, at)
			}
			if local := e.Next(at, berlin, DST{}); !local.After(at) {
				t.Fatalf("%q: %s after %s in Berlin", expr, local, at)
			}
			at = next
		}
	})
}

func BenchmarkNext(b *testing.B) {
	for _, expr := range []string{"30 2 * * *", "*/5 * * * *", "0 0 29 2 *"} {
		b.Run(expr, func(b *testing.B) {
			e, loc := parse(b, expr), zone(b, "Europe/Berlin")
			at := time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)
			for b.Loop() {
				e.Next(at, loc, DST{})
			}
		})
	}
}
