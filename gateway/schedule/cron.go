package schedule

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// Cron is a set of local times: minute, hour, day of month, month and day of
// week. Where day of month and day of week are both restricted, either is
// enough, as cron has always had it.
type Cron struct {
	minute, hour, day, month, weekday uint64
	// Whether a field began with *, which decides more than its set does.
	anyHour, anyDay, anyWeekday bool
}

// Mistake is what is wrong with a cron expression, and where.
type Mistake struct {
	// Column in characters, from 1.
	Column  int
	Message string
}

func (m *Mistake) Error() string { return m.Message }

func mistake(column int, format string, args ...any) *Mistake {
	return &Mistake{Column: column, Message: fmt.Sprintf(format, args...)}
}

// field is what may stand in one place of an expression.
type field struct {
	name     string
	min, max int
	names    string // three letters each, from min on
}

var fields = [...]field{
	{name: "minute", max: 59},
	{name: "hour", max: 23},
	{name: "day of month", min: 1, max: 31},
	{name: "month", min: 1, max: 12, names: "janfebmaraprmayjunjulaugsepoctnovdec"},
	{name: "day of week", max: 7, names: "sunmontuewedthufrisat"},
}

func shorthand(name string) (expr string, ok bool) {
	switch name {
	case "@hourly":
		return "0 * * * *", true
	case "@daily", "@midnight":
		return "0 0 * * *", true
	case "@weekly":
		return "0 0 * * 0", true
	case "@monthly":
		return "0 0 1 * *", true
	case "@yearly", "@annually":
		return "0 0 1 1 *", true
	}
	return "", false
}

// Parse reads an expression: five fields (* , - / and names of months and
// days, 7 for Sunday) or a shorthand such as @daily. One that can never come
// true is a mistake. The error is a *Mistake.
func Parse(expr string) (Cron, error) {
	if name := strings.TrimSpace(expr); strings.HasPrefix(name, "@") {
		long, ok := shorthand(strings.ToLower(name))
		if !ok {
			return Cron{}, mistake(1+strings.Index(expr, "@"), "%q is not @hourly, @daily, @weekly, @monthly or @yearly (for an interval write every:)", name)
		}
		expr = long
	}
	words, columns := split(expr)
	if err := checkCount(expr, words, columns); err != nil {
		return Cron{}, err
	}
	var sets [len(fields)]uint64
	for i, word := range words {
		set, err := fields[i].parse(word, columns[i])
		if err != nil {
			return Cron{}, err
		}
		sets[i] = set
	}
	c := Cron{
		minute: sets[0], hour: sets[1], day: sets[2], month: sets[3],
		weekday: sets[4]&^(1<<7) | sets[4]>>7&1,
		anyHour: words[1][0] == '*', anyDay: words[2][0] == '*', anyWeekday: words[4][0] == '*',
	}
	if _, ok := c.from(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)); !ok {
		return Cron{}, mistake(columns[2], "never fires: no such day of month in those months")
	}
	return c, nil
}

// split gives the words of an expression and the columns where they begin.
func split(expr string) (words []string, columns []int) {
	column, begin := 0, -1
	for i, r := range expr + " " {
		column++
		blank := r == ' ' || r == '\t' || r == '\n' || r == '\r'
		switch {
		case !blank && begin < 0:
			begin, columns = i, append(columns, column)
		case blank && begin >= 0:
			words, begin = append(words, expr[begin:i]), -1
		}
	}
	return words, columns
}

func checkCount(expr string, words []string, columns []int) error {
	switch n := len(words); {
	case n > 0 && strings.Contains(words[0], "TZ="):
		return mistake(columns[0], "the time zone goes into timezone:")
	case n > len(fields):
		return mistake(columns[len(fields)], "%d fields where 5 are known: minute, hour, day of month, month, day of week", n)
	case n < len(fields):
		return mistake(1+len([]rune(expr)), "%s is missing: 5 fields are needed", fields[n].name)
	}
	return nil
}

// parse reads a list of ranges as a set of bits.
func (f field) parse(word string, column int) (uint64, error) {
	var set uint64
	for item := range strings.SplitSeq(word, ",") {
		bits, err := f.item(item, column)
		if err != nil {
			return 0, err
		}
		set |= bits
		column += len([]rune(item)) + 1
	}
	return set, nil
}

// item reads *, a value or a range, with or without a step.
func (f field) item(item string, column int) (uint64, error) {
	span, stepText, stepped := strings.Cut(item, "/")
	from, to, err := f.span(span, column, stepped)
	if err != nil {
		return 0, err
	}
	step := 1
	if stepped {
		at := column + len([]rune(span)) + 1
		var ok bool
		if step, ok = small(stepText); !ok || step == 0 {
			return 0, mistake(at, "%s: step %q is not a number above 0", f.name, stepText)
		}
	}
	var set uint64
	for v := from; v <= to; v += step {
		set |= 1 << v
	}
	return set, nil
}

func (f field) span(span string, column int, stepped bool) (from, to int, err error) {
	if span == "*" {
		// Seven is only another name of Sunday: it is no eighth day to step on.
		return f.min, min(f.max, f.min+f.days()-1), nil
	}
	first, last, ranged := strings.Cut(span, "-")
	if from, err = f.value(first, column); err != nil {
		return 0, 0, err
	}
	switch {
	case ranged:
		if to, err = f.value(last, column+len([]rune(first))+1); err != nil {
			return 0, 0, err
		}
		if f.max == 7 && to == 0 && from > 0 {
			to = 7
		}
	case stepped:
		to = min(f.max, f.min+f.days()-1)
	default:
		to = from
	}
	if to < from {
		return 0, 0, mistake(column, "%s: range %q goes backwards", f.name, span)
	}
	return from, to, nil
}

// days is how many different values the field has.
func (f field) days() int {
	if f.max == 7 {
		return 7
	}
	return f.max - f.min + 1
}

func (f field) value(text string, column int) (int, error) {
	if f.names != "" && len(text) == 3 {
		if i := strings.Index(f.names, strings.ToLower(text)); i >= 0 && i%3 == 0 {
			return f.min + i/3, nil
		}
	}
	v, ok := small(text)
	switch {
	case text == "":
		return 0, mistake(column, "%s: a value is missing", f.name)
	case !ok:
		return 0, mistake(column, "%s: %q is not a value", f.name, text)
	case v < f.min || v > f.max:
		return 0, mistake(column, "%s: %d is not between %d and %d", f.name, v, f.min, f.max)
	}
	return v, nil
}

// small reads one or two digits; a leading zero is as usual here as on clocks.
func small(text string) (int, bool) {
	if len(text) == 0 || len(text) > 2 {
		return 0, false
	}
	n := 0
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		n = n*10 + int(text[i]-'0')
	}
	return n, true
}

// horizon is how many years a search goes on: the 29th of February falls on a
// given weekday at least once in 40 years.
const horizon = 41

// from is the first wall clock time at or after t that is in the set. Wall
// clock times are written as times in UTC; they know no zones.
func (c Cron) from(t time.Time) (time.Time, bool) {
	end := t.Year() + horizon
	for t.Year() <= end {
		year, month, day := t.Date()
		switch {
		case c.month>>month&1 == 0:
			t = time.Date(year, month+1, 1, 0, 0, 0, 0, time.UTC)
		case !c.matchesDay(t):
			t = time.Date(year, month, day+1, 0, 0, 0, 0, time.UTC)
		case c.hour>>t.Hour()&1 == 0:
			t = time.Date(year, month, day, after(c.hour, t.Hour(), 24), 0, 0, 0, time.UTC)
		case c.minute>>t.Minute()&1 == 0:
			t = time.Date(year, month, day, t.Hour(), after(c.minute, t.Minute(), 60), 0, 0, time.UTC)
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

func (c Cron) matchesDay(t time.Time) bool {
	day := c.day>>t.Day()&1 == 1
	weekday := c.weekday>>t.Weekday()&1 == 1
	if c.anyDay || c.anyWeekday {
		return day && weekday
	}
	return day || weekday
}
