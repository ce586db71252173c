package cron

import (
	"archive/zip"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// rule is an expression read aloud by somebody else than Parse.
type rule struct {
	expr string
	// elapsed: * is its hour.
	elapsed bool
	matches func(w time.Time) bool
}

func rules() []rule {
	at := func(w time.Time, hour, minute int) bool { return w.Hour() == hour && w.Minute() == minute }
	return []rule{
		{"30 2 * * *", false, func(w time.Time) bool { return at(w, 2, 30) }},
		{"30 1 * * *", false, func(w time.Time) bool { return at(w, 1, 30) }},
		{"0 0 * * *", false, func(w time.Time) bool { return at(w, 0, 0) }},
		{"59 23 * * *", false, func(w time.Time) bool { return at(w, 23, 59) }},
		{"15 0-4 * * *", false, func(w time.Time) bool { return w.Hour() <= 4 && w.Minute() == 15 }},
		{"* 2 * * *", false, func(w time.Time) bool { return w.Hour() == 2 }},
		{"10 */2 * * *", true, func(w time.Time) bool { return w.Hour()%2 == 0 && w.Minute() == 10 }},
		{"0 * * * *", true, func(w time.Time) bool { return w.Minute() == 0 }},
		{"*/7 * * * *", true, func(w time.Time) bool { return w.Minute()%7 == 0 }},
		{"0 3 * * 0", false, func(w time.Time) bool { return at(w, 3, 0) && w.Weekday() == time.Sunday }},
		{"0 0 L * *", false, func(w time.Time) bool { return at(w, 0, 0) && w.AddDate(0, 0, 1).Day() == 1 }},
		{"45 1 * 3,10 sunL", false, func(w time.Time) bool {
			return at(w, 1, 45) && (w.Month() == 3 || w.Month() == 10) && w.Weekday() == 0 && w.AddDate(0, 0, 7).Month() != w.Month()
		}},
		{"0 2 1 * sun#2", false, func(w time.Time) bool {
			return at(w, 2, 0) && (w.Day() == 1 || w.Weekday() == 0 && w.Day() > 7 && w.Day() <= 14)
		}},
		{"0 12 30 12 *", false, func(w time.Time) bool { return at(w, 12, 0) && w.Month() == 12 && w.Day() == 30 }},
	}
}

// TestNextAgainstBruteForce goes minute by minute over the hours around every
// change of the clock from 2000 to 2037 in every zone there is, with the rules
// spelled out. What many zones do alike is gone over once.
func TestNextAgainstBruteForce(t *testing.T) {
	t.Parallel()
	var exprs []*Expr
	for _, r := range rules() {
		exprs = append(exprs, parse(t, r.expr))
	}
	policies := []DST{{}, {SkipGap: true}, {RepeatBoth: true}, {SkipGap: true, RepeatBoth: true}}
	zones, around := 0, 0
	seen := map[string]bool{}
	for _, loc := range everyZone(t) {
		zones++
		for _, at := range append(changes(loc), time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)) {
			d := newHours(at, loc)
			if seen[d.like] {
				continue
			}
			seen[d.like] = true
			around++
			for i, r := range rules() {
				for _, dst := range policies {
					d.compare(t, r, exprs[i], dst)
				}
			}
		}
	}
	t.Logf("%d zones, %d different changes of the clock", zones, around)
	if zones < 500 || around < 3000 {
		t.Errorf("only %d zones and %d changes", zones, around)
	}
}

// everyZone is all that the toolchain's tzdata has.
func everyZone(t *testing.T) (all []*time.Location) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	file, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, f := range file.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		loc, err := time.LoadLocationFromTZData(f.Name, data)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, loc)
	}
	return all
}

// changes of a zone's clock, looked for day by day, not with what Next uses.
func changes(loc *time.Location) (all []time.Time) {
	end := time.Date(2038, 1, 1, 0, 0, 0, 0, time.UTC)
	for at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC); at.Before(end); {
		next := at.Add(24 * time.Hour)
		if offset(next, loc) != offset(at, loc) {
			for next = at; offset(next, loc) == offset(at, loc); {
				next = next.Add(time.Minute)
			}
			all = append(all, next)
		}
		at = next
	}
	return all
}

func offset(at time.Time, loc *time.Location) int {
	_, seconds := at.In(loc).Zone()
	return seconds
}

// hours are the minutes around a moment and what clocks show in them.
type hours struct {
	loc        *time.Location
	begin, end time.Time
	walls      []time.Time
	// shown is the latest time that clocks had shown before begin.
	shown time.Time
	// like is the same for hours in which clocks show the same.
	like string
}

func newHours(around time.Time, loc *time.Location) *hours {
	d := &hours{loc: loc, begin: around.Add(-5 * time.Hour).Truncate(time.Minute), end: around.Add(5 * time.Hour)}
	if jump := wallAt(around, loc).Sub(wallAt(around.Add(-1), loc)).Abs(); jump > 3*time.Hour {
		d.end = d.end.Add(jump)
	}
	last := 0
	show := func(at time.Time) time.Time {
		wall := wallAt(at, loc)
		if now := offset(at, loc); now != last {
			d.like += fmt.Sprint(wall, now-last)
			last = now
		}
		return wall
	}
	for at := d.begin.Add(-48 * time.Hour); !at.After(d.begin); at = at.Add(time.Hour) {
		d.shown = later(d.shown, show(at))
	}
	for at := d.begin.Add(time.Minute); at.Before(d.end); at = at.Add(time.Minute) {
		d.walls = append(d.walls, show(at))
	}
	return d
}

// compare checks the chain of Next with what the rule says minute by minute.
func (d *hours) compare(t *testing.T, r rule, e *Expr, dst DST) {
	t.Helper()
	shown, got := d.shown, e.Next(d.begin, d.loc, dst)
	for i, wall := range d.walls {
		at := d.begin.Add(time.Duration(i+1) * time.Minute)
		fires := r.matches(wall) && (r.elapsed || dst.RepeatBoth || wall.After(shown))
		for lost := shown.Add(time.Minute); lost.Before(wall); lost = lost.Add(time.Minute) {
			fires = fires || !r.elapsed && !dst.SkipGap && r.matches(lost)
		}
		shown = later(shown, wall)
		switch {
		case fires && !got.Equal(at):
			t.Fatalf("%s %+v: got %s, want %s", r.expr, dst, got.In(d.loc), at.In(d.loc))
		case fires:
			got = e.Next(at, d.loc, dst)
		case got.Equal(at):
			t.Fatalf("%s %+v: not due at %s", r.expr, dst, at.In(d.loc))
		}
	}
}

// TestSecondsAgainstBruteForce is the same by the second, where it matters.
func TestSecondsAgainstBruteForce(t *testing.T) {
	t.Parallel()
	e := parse(t, "*/25 0,30,59 0-3 * * *")
	matches := func(w time.Time) bool {
		return w.Second()%25 == 0 && (w.Minute() == 0 || w.Minute() == 30 || w.Minute() == 59) && w.Hour() <= 3
	}
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "Africa/Casablanca"} {
		loc := zone(t, name)
		for _, change := range changes(loc)[:8] {
			at := change.Add(-5 * time.Hour)
			shown, got := wallAt(at, loc), e.Next(at, loc, DST{})
			for at = at.Add(time.Second); at.Before(change.Add(5 * time.Hour)); at = at.Add(time.Second) {
				wall, fires := wallAt(at, loc), false
				for shown.Before(wall) {
					shown = shown.Add(time.Second)
					fires = fires || matches(shown)
				}
				if fires != got.Equal(at) {
					t.Fatalf("%s: at %s due %t, got %s", name, at.In(loc), fires, got)
				}
				if fires {
					got = e.Next(at, loc, DST{})
				}
			}
		}
	}
}

func wallAt(at time.Time, loc *time.Location) time.Time {
	return at.UTC().Add(time.Duration(offset(at, loc)) * time.Second)
}

// A fixed daily time fires once for every date there ever was or was skipped.
func TestOnceADay(t *testing.T) {
	t.Parallel()
	days := int(time.Date(2038, 1, 1, 0, 0, 0, 0, time.UTC).Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).Hours() / 24)
	for _, name := range []string{"America/New_York", "Africa/Casablanca", "Asia/Beirut", "Pacific/Apia"} {
		loc, e := zone(t, name), parse(t, "30 1 * * *")
		count := -1
		for at := time.Date(2000, 1, 1, 0, 0, 0, 0, loc); at.Year() < 2038; at = e.Next(at, loc, DST{}) {
			count++
		}
		if count != days {
			t.Errorf("%s: %d runs on %d days", name, count, days)
		}
	}
}
