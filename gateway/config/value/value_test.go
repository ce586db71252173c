package value

import (
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0s": 0, "1ms": time.Millisecond, "90s": 90 * time.Second, "1h30m": 90 * time.Minute,
		"7d": 168 * time.Hour, "1d2h3m4s5ms": 26*time.Hour + 3*time.Minute + 4*time.Second + 5*time.Millisecond,
		"106751d": 106751 * 24 * time.Hour,
	} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || time.Duration(d) != want {
			t.Errorf("%s = %v, %v", text, time.Duration(d), err)
		}
	}
	for _, text := range []string{
		"", "5", "s", "1.5s", "-1s", "+1s", " 1s", "1s ", "1m1m", "1s1m", "1w", "1us", "106752d",
		"106751d24h", "99999999999999999999s", "1h 30m", "١s",
	} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q = %v, want an error", text, d)
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Size{
		"0B": 0, "1B": 1, "1kB": 1000, "1KiB": 1024, "64KiB": 65536, "2MB": 2e6, "1MiB": 1 << 20, "3GiB": 3 << 30, "1TB": 1e12,
	} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%s = %d, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "1", "MiB", "1M", "1mib", "1.5MiB", "-1B", "1MiB2KiB", "9999999TiB"} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q = %v, want an error", text, s)
		}
	}
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Throttle{
		"50/s":              {Rate{50, Duration(time.Second)}, 50},
		"50/s burst 200":    {Rate{50, Duration(time.Second)}, 200},
		"10/5m  burst 1":    {Rate{10, Duration(5 * time.Minute)}, 1},
		"100000/1d":         {Rate{100_000, Duration(24 * time.Hour)}, 100_000},
		"":                  {},
		"0/s":               {},
		"50":                {},
		"50/s burst":        {},
		"50/s burst 0":      {},
		"50/s burst -1":     {},
		"50/s burst 2 3":    {},
		"50/s 200":          {},
		"50/s burst 100001": {},
		"1/2d":              {},
	} {
		var got Throttle
		if err := got.UnmarshalText([]byte(text)); (err == nil) != (want.Count > 0) || err == nil && got != want {
			t.Errorf("%q: %v %v, want %v", text, got, err, want)
		}
	}
}

func TestBackoffRatePercentTarget(t *testing.T) {
	t.Parallel()
	var b Backoff
	if err := b.UnmarshalText([]byte("30s")); err != nil || b.Min != b.Max {
		t.Errorf("30s = %+v, %v", b, err)
	}
	var r Rate
	if err := r.UnmarshalText([]byte("5/m")); err != nil || r != (Rate{5, Duration(time.Minute)}) {
		t.Errorf("5/m = %+v, %v", r, err)
	}
	var p Percent
	if err := p.UnmarshalText([]byte("100%")); err != nil || p != 100 {
		t.Errorf("100%% = %d, %v", p, err)
	}
	var g Target
	if err := g.UnmarshalText([]byte("exec/a/b")); err != nil || g != (Target{"exec", "a/b"}) {
		t.Errorf("exec/a/b = %+v, %v", g, err)
	}
	for text, to := range map[string]interface{ UnmarshalText([]byte) error }{
		"0s..1s": &b, "1s..": &b, "..": &b, "5/0s": &r, "/m": &r, "5": &r, "5/": &r, "-1%": &p, "%": &p, "101%": &p,
		"": &g, "exec/": &g, "a b": &g,
	} {
		if err := to.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: want an error, got %v", text, to)
		}
	}
}

func FuzzDuration(f *testing.F) {
	for _, seed := range []string{"1h30m", "7d", "500ms", "106751d", "1s1m", "", "0s"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var d, again Duration
		if d.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(d.String())); err != nil || again != d || d < 0 {
			t.Errorf("%q = %d, printed %q, read back %d, %v", text, d, d, again, err)
		}
	})
}

func FuzzSize(f *testing.F) {
	for _, seed := range []string{"1MiB", "512KiB", "2GB", "0B", "9007199254740993B", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s, again Size
		if s.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s || s < 0 {
			t.Errorf("%q = %d, printed %q, read back %d, %v", text, int64(s), s, int64(again), err)
		}
	})
}
