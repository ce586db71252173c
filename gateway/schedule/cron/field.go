package cron

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
)

// field is what may stand in one place of an expression.
type field struct {
	name     string
	min, max int
	names    string // three letters each, from min on
	// seed is what H is made of, together with the field's name: minute and hour
	// of one schedule must not go together.
	seed string
}

const dayOfMonth, dayOfWeek = "day of month", "day of week"

func fields() [most]field {
	return [...]field{
		{name: "second", max: 59},
		{name: "minute", max: 59},
		{name: "hour", max: 23},
		{name: dayOfMonth, min: 1, max: 31},
		{name: "month", min: 1, max: 12, names: "janfebmaraprmayjunjulaugsepoctnovdec"},
		{name: dayOfWeek, max: 7, names: "sunmontuewedthufrisat"},
	}
}

// parse reads a list.
func (f field) parse(word string, column int) (dayset, error) {
	var all dayset
	for item := range strings.SplitSeq(word, ",") {
		one, err := f.item(item, column)
		if err != nil {
			return dayset{}, err
		}
		all.bits, all.placed = all.bits|one.bits, all.placed|one.placed
		column += len([]rune(item)) + 1
	}
	if f.name == dayOfWeek {
		all.bits = all.bits&^(1<<7) | all.bits>>7&1
	}
	return all, nil
}

func (f field) item(item string, column int) (dayset, error) {
	upper := strings.ToUpper(item)
	switch {
	case f.name == dayOfMonth && strings.HasPrefix(upper, "L"):
		return f.fromLast(item, column)
	case f.name == dayOfWeek && (strings.Contains(item, "#") || strings.HasSuffix(upper, "L")):
		return f.nth(item, column)
	case strings.HasPrefix(upper, "H"):
		return f.hashed(item, column)
	case item == "?":
		return dayset{}, mistake(column, "%s: %q is not known: write *", f.name, item)
	}
	return f.stepped(item, column)
}

// fromLast reads L and L-2, counted from the end of the month.
func (f field) fromLast(item string, column int) (dayset, error) {
	if len(item) == 1 {
		return dayset{placed: 1}, nil
	}
	n, ok := small(strings.TrimPrefix(item[1:], "-"))
	if item[1] != '-' || !ok || n > 30 {
		return dayset{}, mistake(column, "%s: %q is not L, the last day, or L-1 to L-30", f.name, item)
	}
	return dayset{placed: 1 << n}, nil
}

// nth reads fri#2, the second Friday of the month, and friL, the last one.
func (f field) nth(item string, column int) (dayset, error) {
	text, number, numbered := strings.Cut(item, "#")
	n := 0
	if !numbered {
		text = item[:len(item)-1]
	}
	if text == "" {
		return dayset{}, mistake(column, "%s: %q needs its day: fri#2 is the second Friday, friL the last", f.name, item)
	}
	day, err := f.value(text, column)
	if err != nil {
		return dayset{}, err
	}
	if numbered {
		var ok bool
		if n, ok = small(number); !ok || n < 1 || n > 5 {
			return dayset{}, mistake(column+len([]rune(text))+1, "%s: %q is not a number from 1 to 5", f.name, number)
		}
	}
	return dayset{placed: 1 << (6*(day%7) + n)}, nil
}

// hashed reads H, H/15, H(0-29) and H(0-29)/10.
func (f field) hashed(item string, column int) (dayset, error) {
	span, rest := item[1:], ""
	if i := strings.IndexByte(item, '/'); i >= 0 {
		span, rest = item[1:i], item[i:]
	}
	from, to := f.min, f.last()
	if f.name == dayOfMonth {
		to = 28 // every month has it
	}
	if span != "" {
		inner, closed := strings.CutSuffix(strings.TrimPrefix(span, "("), ")")
		if span[0] != '(' || !closed || !strings.Contains(inner, "-") {
			return dayset{}, mistake(column, "%s: %q is not H, or H with a range: H(0-29)", f.name, item)
		}
		var err error
		if from, to, err = f.span(inner, column+2, false); err != nil {
			return dayset{}, err
		}
	}
	size := to - from + 1
	if rest == "" {
		return dayset{bits: 1 << (from + f.hash(size))}, nil
	}
	step, err := f.step(rest[1:], column+1+len([]rune(span))+1)
	if err != nil {
		return dayset{}, err
	}
	return steps(from+f.hash(min(step, size)), to, step), nil
}

// hash is a number below n.
func (f field) hash(n int) int {
	sum := sha256.Sum256([]byte(f.seed + "\n" + f.name))
	return int(binary.BigEndian.Uint64(sum[:]) % uint64(n))
}

// stepped reads *, a value or a range, with or without a step.
func (f field) stepped(item string, column int) (dayset, error) {
	text, stepText, stepped := strings.Cut(item, "/")
	from, to, err := f.span(text, column, stepped)
	if err != nil || !stepped {
		return steps(from, to, 1), err
	}
	step, err := f.step(stepText, column+len([]rune(text))+1)
	return steps(from, to, step), err
}

func steps(from, to, step int) (set dayset) {
	for v := from; v <= to && step > 0; v += step {
		set.bits |= 1 << v
	}
	return set
}

func (f field) step(text string, column int) (int, error) {
	step, ok := small(text)
	if !ok || step == 0 {
		return 0, mistake(column, "%s: step %q is not a number above 0", f.name, text)
	}
	return step, nil
}

func (f field) span(text string, column int, stepped bool) (from, to int, err error) {
	if text == "*" {
		return f.min, f.last(), nil
	}
	first, last, ranged := strings.Cut(text, "-")
	if from, err = f.value(first, column); err != nil {
		return 0, 0, err
	}
	switch {
	case ranged:
		if to, err = f.value(last, column+len([]rune(first))+1); err != nil {
			return 0, 0, err
		}
		if f.name == dayOfWeek && to == 0 && from > 0 {
			to = 7
		}
	case stepped:
		to = max(from, f.last())
	default:
		to = from
	}
	if to < from {
		return 0, 0, mistake(column, "%s: range %q goes backwards", f.name, text)
	}
	return from, to, nil
}

// last is the highest value. Seven is only another name of Sunday: it is no
// eighth day to step on.
func (f field) last() int {
	if f.name == dayOfWeek {
		return 6
	}
	return f.max
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
