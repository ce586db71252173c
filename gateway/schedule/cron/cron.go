// Package cron says when a cron expression is due: a pure function of the
// expression, a moment and a time zone, on which the clock of package schedule
// rests.
package cron

import (
	"fmt"
	"strings"
	"time"
)

// Expr is a set of local times: second, minute, hour, day of month, month and
// day of week. Where day of month and day of week are both restricted, either
// is enough, as cron has always had it.
type Expr struct {
	second, minute, hour, month uint64
	day, weekday                dayset
	// Whether a field began with *, which decides more than its set does.
	anyHour, anyDay, anyWeekday bool
}

// dayset is days by number, and by their place in a month.
type dayset struct {
	bits uint64
	// placed: of days of a month, bit n is the day n before the last; of days of
	// a week, bit 6×weekday+n is the nth of its month, and n = 0 the last.
	placed uint64
}

// Mistake is what is wrong with an expression, and where.
type Mistake struct {
	// Column in characters, from 1.
	Column  int
	Message string
}

func (m *Mistake) Error() string { return m.Message }

func mistake(column int, format string, args ...any) *Mistake {
	return &Mistake{Column: column, Message: fmt.Sprintf(format, args...)}
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

// Parse reads an expression: five fields, or six with seconds first, or a
// shorthand such as @daily. Fields know * , - / and names of months and days; 7
// is Sunday too; L is the last day of a month, L-2 two days before it, friL the
// last Friday and fri#2 the second. H is a value made of name: the same name
// gets the same values always, other names get others. An expression that can
// never come true is a mistake. The error is a *Mistake.
func Parse(expr, name string) (Expr, error) {
	if short := strings.TrimSpace(expr); strings.HasPrefix(short, "@") {
		long, ok := shorthand(strings.ToLower(short))
		if !ok {
			return Expr{}, mistake(1+strings.Index(expr, "@"), "%q is not @hourly, @daily, @weekly, @monthly or @yearly (for an interval write every:)", short)
		}
		expr = long
	}
	words, columns := split(expr)
	if err := checkCount(expr, words, columns); err != nil {
		return Expr{}, err
	}
	if len(words) == most-1 {
		words, columns = append([]string{"0"}, words...), append([]int{1}, columns...)
	}
	var sets [most]dayset
	for i, f := range fields() {
		f.seed = name
		var err error
		if sets[i], err = f.parse(words[i], columns[i]); err != nil {
			return Expr{}, err
		}
	}
	e := Expr{
		second: sets[0].bits, minute: sets[1].bits, hour: sets[2].bits, day: sets[3], month: sets[4].bits, weekday: sets[5],
		anyHour: words[2][0] == '*', anyDay: words[3][0] == '*', anyWeekday: words[5][0] == '*',
	}
	if _, ok := e.from(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)); !ok {
		return Expr{}, mistake(columns[3], "never fires: those months have no such day")
	}
	return e, nil
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

// most fields that an expression has: five, and seconds.
const most = 6

func checkCount(expr string, words []string, columns []int) error {
	switch n := len(words); {
	case n > 0 && strings.Contains(words[0], "TZ="):
		return mistake(columns[0], "the time zone goes into timezone:")
	case n > most:
		return mistake(columns[most], "%d fields; at most %d are known: second, minute, hour, day of month, month, day of week", n, most)
	case n < most-1:
		return mistake(1+len([]rune(expr)), "%s is missing: 5 fields are needed, or 6 with seconds first", fields()[n+1].name)
	}
	return nil
}
