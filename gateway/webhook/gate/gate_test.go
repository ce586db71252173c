package gate

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func networks(list ...string) (n Networks) {
	for _, text := range list {
		n = append(n, netip.MustParsePrefix(text))
	}
	return n
}

// ours are the proxies of all tests.
func ours() Networks { return networks("10.0.0.0/8", "fd00::/8") }

func TestClient(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		remote    string
		common    []string // X-Forwarded-For
		forwarded []string
		want      string // empty: cannot be told
	}{
		{"192.0.2.1:1", nil, nil, "192.0.2.1"},
		{"[::ffff:192.0.2.1]:1", nil, nil, "192.0.2.1"},
		{"192.0.2.1:1", []string{"203.0.113.9"}, nil, "192.0.2.1"}, // not a proxy of ours: its claim
		{"192.0.2.1:1", nil, []string{"for=203.0.113.9"}, "192.0.2.1"},
		{"10.0.0.1:1", nil, nil, "10.0.0.1"}, // the proxy itself sends
		{"10.0.0.1:1", []string{"203.0.113.9"}, nil, "203.0.113.9"},
		{"10.0.0.1:1", []string{"198.51.100.1, 203.0.113.9"}, nil, "203.0.113.9"},
		{"10.0.0.1:1", []string{"198.51.100.1", "203.0.113.9"}, nil, "203.0.113.9"},
		{"10.0.0.1:1", []string{"198.51.100.1,203.0.113.9,\t10.2.3.4"}, nil, "203.0.113.9"},
		{"10.0.0.1:1", []string{"10.1.1.1, 10.2.2.2"}, nil, "10.1.1.1"}, // from inside
		{"10.0.0.1:1", []string{"::ffff:203.0.113.9"}, nil, "203.0.113.9"},
		{"10.0.0.1:1", []string{"203.0.113.9:4711"}, nil, "203.0.113.9"},
		{"10.0.0.1:1", []string{"[2001:db8::1]:4711"}, nil, "2001:db8::1"},
		{"10.0.0.1:1", []string{"[2001:db8::1]"}, nil, "2001:db8::1"},
		{"10.0.0.1:1", []string{"2001:db8::1"}, nil, "2001:db8::1"},
		{"[fd00::1]:1", []string{"2001:db8::1"}, nil, "2001:db8::1"},
		{"10.0.0.1:1", []string{"unknown, 203.0.113.9"}, nil, "203.0.113.9"}, // never looked at
		{"10.0.0.1:1", []string{"203.0.113.9, unknown"}, nil, ""},
		{"10.0.0.1:1", []string{"203.0.113.9,"}, nil, ""},
		{"10.0.0.1:1", []string{"fe80::1%eth0"}, nil, ""},
		{"10.0.0.1:1", []string{"[203.0.113.9"}, nil, ""},
		{"10.0.0.1:1", nil, []string{"for=203.0.113.9"}, "203.0.113.9"},
		{"10.0.0.1:1", nil, []string{"For=203.0.113.9;proto=https;by=10.0.0.1"}, "203.0.113.9"},
		{"10.0.0.1:1", nil, []string{`proto=https; for="[2001:db8::1]:4711"`}, "2001:db8::1"},
		{"10.0.0.1:1", nil, []string{"for=198.51.100.1", "for=203.0.113.9, for=10.2.2.2"}, "203.0.113.9"},
		{"10.0.0.1:1", nil, []string{`for="198.51.100.1, for=203.0.113.9"`}, ""}, // one address, and none
		{"10.0.0.1:1", nil, []string{`for="a\", for=203.0.113.9`}, ""},
		{"10.0.0.1:1", nil, []string{"for=_hidden"}, ""},
		{"10.0.0.1:1", nil, []string{"for=unknown"}, ""},
		{"10.0.0.1:1", nil, []string{"proto=https"}, ""},
		{"10.0.0.1:1", nil, []string{"for=203.0.113.9;for=198.51.100.1"}, ""},
		{"10.0.0.1:1", []string{"203.0.113.9"}, []string{"for=203.0.113.9"}, "203.0.113.9"},
		{"10.0.0.1:1", []string{"198.51.100.1"}, []string{"for=203.0.113.9"}, ""},
		{"10.0.0.1:1", []string{strings.Repeat("10.0.0.1,", 32) + "10.0.0.1"}, nil, ""}, // too many hops
		{"not an address", nil, nil, ""},
	} {
		h := http.Header{}
		if c.common != nil {
			h["X-Forwarded-For"] = c.common
		}
		if c.forwarded != nil {
			h["Forwarded"] = c.forwarded
		}
		addr, ok := ours().Client(c.remote, h)
		if got := addr.String(); ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%s, X-Forwarded-For %q, Forwarded %q: %s %t, want %q", c.remote, c.common, c.forwarded, got, ok, c.want)
		}
	}
}

// FuzzClient: whatever a stranger writes into the headers, whom our own proxy
// names at the end is who it is.
func FuzzClient(f *testing.F) {
	for _, s := range []string{"", "10.0.0.1", `for="`, `for="[::1]:1",for=10.0.0.2`, `\`, ",,", `";,\"`} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, common, standard string) {
		named := netip.MustParseAddr("203.0.113.9")
		h := http.Header{"X-Forwarded-For": {common + ", " + named.String()}}
		if addr, ok := ours().Client("10.0.0.1:1", h); !ok || addr != named {
			t.Errorf("%q: %s %t", h, addr, ok)
		}
		h = http.Header{"Forwarded": {standard, "for=" + named.String()}}
		if addr, ok := ours().Client("10.0.0.1:1", h); ok && addr != named {
			t.Errorf("%q: %s", h, addr)
		}
		h = http.Header{"Forwarded": {standard}, "X-Forwarded-For": {common}}
		if addr, ok := ours().Client("10.0.0.1:1", h); ok && !addr.IsValid() {
			t.Errorf("%q: an address that is none", h)
		}
	})
}

func TestSender(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, r := NewLimiter(), Rate{Count: 10, Window: time.Second, Burst: 5}
		a, b := netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("203.0.113.10")
		takes := func(want int, r Rate, hook string, addr netip.Addr) {
			t.Helper()
			got := 0
			for ; got <= want && l.Sender(r, hook, addr) == 0; got++ {
			}
			if got != want {
				t.Errorf("%s took %d, want %d", addr, got, want)
			}
		}
		takes(5, r, "hook", a)
		takes(5, r, "hook", b)    // not a's
		takes(5, r, "another", a) // not the first webhook's
		if wait := l.Sender(r, "hook", a); wait != 100*time.Millisecond {
			t.Errorf("wait %s, want 100ms", wait)
		}
		time.Sleep(99 * time.Millisecond)
		takes(0, r, "hook", a)
		time.Sleep(time.Millisecond)
		takes(1, r, "hook", a)
		time.Sleep(time.Hour)
		takes(5, r, "hook", a) // full is full
		takes(7, Rate{Count: 1, Window: time.Hour, Burst: 7}, "slow", a)
		takes(5, r, "six", netip.MustParseAddr("2001:db8:1:2::1"))
		takes(0, r, "six", netip.MustParseAddr("2001:db8:1:2:ffff::1")) // the same network
		takes(5, r, "six", netip.MustParseAddr("2001:db8:1:3::1"))
		if l.Sender(Rate{}, "hook", a) != 0 {
			t.Error("no rate, and yet a limit")
		}
	})
}

// Ten thousand senders that are far beyond their rate hardly ever meet one that
// is not, and memory is what it was.
func TestSenderAmongMany(t *testing.T) {
	t.Parallel()
	l, r := NewLimiter(), Rate{Count: 1, Window: time.Hour, Burst: 1}
	for i := range 10_000 {
		for range 2 {
			l.Sender(r, "hook", netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
		}
	}
	refused := 0
	for i := range 1000 {
		if l.Sender(r, "hook", netip.AddrFrom4([4]byte{192, 168, byte(i >> 8), byte(i)})) > 0 {
			refused++
		}
	}
	if refused > 60 { // 2 in 100 expected; 14 without the second row
		t.Errorf("%d of 1000 senders were refused for others", refused)
	}
}

func TestAll(t *testing.T) {
	t.Parallel()
	l, r := NewLimiter(), Rate{Count: 1, Window: time.Hour, Burst: 1000}
	var b Bucket
	var taken atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 500 {
				if l.All(r, &b) == 0 {
					taken.Add(1)
				}
			}
		})
	}
	group.Wait()
	if taken.Load() != 1000 {
		t.Errorf("%d were taken of 1000", taken.Load())
	}
	if l.All(Rate{}, &b) != 0 {
		t.Error("no rate, and yet a limit")
	}
}

func BenchmarkClient(b *testing.B) {
	h := http.Header{"X-Forwarded-For": {"198.51.100.1, 203.0.113.9, 10.1.1.1"}}
	for b.Loop() {
		ours().Client("10.0.0.1:1", h)
	}
}

func BenchmarkSender(b *testing.B) {
	l, r := NewLimiter(), Rate{Count: 1000, Window: time.Second, Burst: 1000}
	addr := netip.MustParseAddr("203.0.113.9")
	b.ReportAllocs()
	for b.Loop() {
		l.Sender(r, "hook", addr)
	}
}
