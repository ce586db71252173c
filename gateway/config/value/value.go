// Package value is the kinds of values that a configuration is made of, each
// with the one way to write it: durations, sizes, rates. The decoder reads them
// by their UnmarshalText.
package value

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is written as whole numbers with units, largest first: 7d, 1h30m,
// 500ms. A day is 24 hours.
type Duration time.Duration

type unit struct {
	name string
	size int64
}

func durationUnits() []unit {
	return []unit{
		{"ms", int64(time.Millisecond)}, {"d", 24 * int64(time.Hour)}, {"h", int64(time.Hour)},
		{"m", int64(time.Minute)}, {"s", int64(time.Second)},
	}
}

// UnmarshalText reads a duration as written in the file.
func (d *Duration) UnmarshalText(text []byte) error {
	rest, total, last := string(text), int64(0), int64(math.MaxInt64)
	if rest == "" {
		return errors.New(wantDuration)
	}
	for rest != "" {
		n, size, tail, err := quantity(rest, durationUnits())
		switch {
		case err != nil:
			return fmt.Errorf("%s%w", wantDuration, err)
		case size >= last:
			return errors.New("units of a duration go from large to small, each once: 1h30m")
		case total > math.MaxInt64-n:
			return fmt.Errorf("%s%w", wantDuration, errTooLarge)
		}
		rest, total, last = tail, total+n, size
	}
	*d = Duration(total)
	return nil
}

const wantDuration = "want a duration like 30s, 1h30m or 7d"

var errTooLarge = errors.New(" (this one is too large)")

// String writes the duration as the file would have it.
func (d Duration) String() string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	rest := int64(d)
	for _, u := range []string{"d", "h", "m", "s", "ms"} {
		size := unitSize(durationUnits(), u)
		if n := rest / size; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u)
			rest -= n * size
		}
	}
	return b.String()
}

// Size is a number of bytes, written with a unit: 1MiB, 500kB.
type Size int64

func sizeUnits() []unit {
	return []unit{
		{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
		{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
	}
}

// UnmarshalText reads a size as written in the file.
func (s *Size) UnmarshalText(text []byte) error {
	n, _, tail, err := quantity(string(text), sizeUnits())
	if err != nil || tail != "" {
		return errors.New("want a size like 512KiB, 1MiB or 2GB")
	}
	*s = Size(n)
	return nil
}

// String writes the size in the largest binary unit that divides it.
func (s Size) String() string {
	for _, u := range []string{"TiB", "GiB", "MiB", "KiB"} {
		if size := unitSize(sizeUnits(), u); s != 0 && int64(s)%size == 0 {
			return fmt.Sprintf("%d%s", int64(s)/size, u)
		}
	}
	return fmt.Sprintf("%dB", int64(s))
}

func unitSize(units []unit, name string) int64 {
	for _, u := range units {
		if u.name == name {
			return u.size
		}
	}
	return 1
}

// quantity reads one number and its unit off the front of text. Units that
// are the beginning of another must come after it.
func quantity(text string, units []unit) (n, size int64, tail string, err error) {
	digits := strings.TrimLeft(text, "0123456789")
	n, err = strconv.ParseInt(text[:len(text)-len(digits)], 10, 64)
	if err != nil {
		return 0, 0, "", errors.New("")
	}
	for _, u := range units {
		if tail, ok := strings.CutPrefix(digits, u.name); ok {
			if n > math.MaxInt64/u.size {
				return 0, 0, "", errTooLarge
			}
			return n * u.size, u.size, tail, nil
		}
	}
	if digits == "" {
		return 0, 0, "", errors.New(" (the unit is missing)")
	}
	return 0, 0, "", errors.New("")
}

// Percent is written 20%; it counts hundredths, from 0 to 100.
type Percent int

// UnmarshalText reads a percentage as written in the file.
func (p *Percent) UnmarshalText(text []byte) error {
	digits, ok := strings.CutSuffix(string(text), "%")
	n, err := strconv.ParseUint(digits, 10, 8)
	if !ok || err != nil || n > 100 {
		return errors.New("want a percentage from 0% to 100%")
	}
	*p = Percent(n)
	return nil
}

// Backoff is the first and the longest pause between attempts: 1s..10m. A
// lone duration is a constant pause.
type Backoff struct{ Min, Max Duration }

// UnmarshalText reads a range as written in the file.
func (b *Backoff) UnmarshalText(text []byte) error {
	first, longest, ok := strings.Cut(string(text), "..")
	if !ok {
		longest = first
	}
	if b.Min.UnmarshalText([]byte(first)) != nil || b.Max.UnmarshalText([]byte(longest)) != nil {
		return errors.New("want a range of durations like 1s..10m")
	}
	if b.Min == 0 || b.Min > b.Max {
		return errors.New("want a range from small to large, above zero, like 1s..10m")
	}
	return nil
}

// Rate is a number of times within a window: 5/1m.
type Rate struct {
	Count  int
	Window Duration
}

// UnmarshalText reads a rate as written in the file; 5/m is 5/1m.
func (r *Rate) UnmarshalText(text []byte) error {
	count, window, _ := strings.Cut(string(text), "/")
	if strings.Trim(window, "smhd") == "" {
		window = "1" + window
	}
	n, err := strconv.ParseUint(count, 10, 31)
	if err != nil || r.Window.UnmarshalText([]byte(window)) != nil || r.Window == 0 {
		return errors.New("want a count and a window like 5/1m")
	}
	r.Count = int(n)
	return nil
}

func (r Rate) String() string { return fmt.Sprintf("%d/%s", r.Count, r.Window) }

// Throttle is a rate and how much may come at once: 50/s burst 200. Without a
// burst it is the count.
type Throttle struct {
	Rate
	Burst int
}

// The largest throttles that can be counted exactly.
const (
	maxThrottle       = 100_000
	maxThrottleWindow = Duration(24 * time.Hour)
)

// UnmarshalText reads a throttle as written in the file.
func (t *Throttle) UnmarshalText(text []byte) error {
	rate, rest, bursts := strings.Cut(string(text), " ")
	if t.Rate.UnmarshalText([]byte(rate)) != nil || t.Count == 0 {
		return errors.New("want a rate like 50/s or 50/s burst 200")
	}
	t.Burst = t.Count
	if bursts {
		digits, ok := strings.CutPrefix(strings.TrimSpace(rest), "burst ")
		n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 31)
		if !ok || err != nil || n == 0 {
			return errors.New("want a rate like 50/s or 50/s burst 200")
		}
		t.Burst = int(n)
	}
	if max(t.Count, t.Burst) > maxThrottle || t.Window > maxThrottleWindow {
		return fmt.Errorf("want at most %d, in at most %s", maxThrottle, maxThrottleWindow)
	}
	return nil
}

// Pace is how often runs are started: 10/m.
type Pace struct{ Rate }

// UnmarshalText reads a pace as written in the file.
func (p *Pace) UnmarshalText(text []byte) error {
	if p.Rate.UnmarshalText(text) != nil || p.Count == 0 || p.Count > maxThrottle || p.Window > maxThrottleWindow {
		return fmt.Errorf("want a rate like 10/m, at most %d in at most %s", maxThrottle, maxThrottleWindow)
	}
	return nil
}

// Target names a workflow and the engine that runs it: engine/workflow.
type Target struct{ Engine, Workflow string }

// UnmarshalText reads a target as written in the file. Without an engine the
// whole text is the workflow's name.
func (t *Target) UnmarshalText(text []byte) error {
	engine, workflow, ok := strings.Cut(string(text), "/")
	if !ok {
		engine, workflow = "", engine
	}
	if workflow == "" || ok && engine == "" || strings.ContainsAny(string(text), " \t\r\n") {
		return errors.New("want engine/workflow")
	}
	t.Engine, t.Workflow = engine, workflow
	return nil
}
