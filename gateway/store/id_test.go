package store

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestIDRoundTrip(t *testing.T) {
	before, last := int64(0), ""
	for i, seq := range []int64{0, 1, 31, 32, 1 << 22, SeqAt(time.Unix(1_800_000_000, 0)), math.MaxInt64} {
		id := FormatID(seq)
		if got, ok := ParseID(id); !ok || got != seq || len(id) != 13 {
			t.Errorf("%d: %q is %d, %t", seq, id, got, ok)
		}
		if i > 0 && (seq > before) != (id > last) {
			t.Errorf("%q and %q are not in the order of %d and %d", last, id, before, seq)
		}
		before, last = seq, id
	}
	for range 10_000 {
		a, b := rand.Int64(), rand.Int64()
		if x, y := FormatID(a), FormatID(b); strings.Compare(x, y) > 0 != (a > b) {
			t.Fatalf("%d %d: %q %q", a, b, x, y)
		}
	}
}

func TestParseIDRefuses(t *testing.T) {
	for _, id := range []string{
		"", "0", "00000000000000", "000000000000", "8000000000000", "zzzzzzzzzzzzz",
		"000000000000i", "000000000000L", "000000000000A", "00000000000-1", "00000000000é",
	} {
		if seq, ok := ParseID(id); ok {
			t.Errorf("%q is %d", id, seq)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("0000000000000")
	f.Add("7zzzzzzzzzzzz")
	f.Fuzz(func(t *testing.T, id string) {
		if seq, ok := ParseID(id); ok && (seq < 0 || FormatID(seq) != id) {
			t.Errorf("%q is %d is %q", id, seq, FormatID(seq))
		}
	})
}

func TestSequence(t *testing.T) {
	var s Sequence
	now := time.Date(2030, 1, 2, 3, 4, 5, 6e6, time.UTC)
	first := s.Next(now, 3)
	if got := TimeOf(first); !got.Equal(now) {
		t.Errorf("time of the first: %v, want %v", got, now)
	}
	if next := s.Next(now, 1); next != first+3 {
		t.Errorf("after three ids from %d comes %d", first, next)
	}
	if next := s.Next(now.Add(-time.Hour), 1); next != first+4 {
		t.Errorf("a clock set back: %d after %d", next, first+3)
	}
	s.After(first + 100)
	s.After(first) // older news
	if next := s.Next(now, 1); next != first+101 {
		t.Errorf("after %d comes %d", first+100, next)
	}
	if next := s.Next(now.Add(time.Millisecond), 1); next != SeqAt(now.Add(time.Millisecond)) {
		t.Errorf("the next millisecond begins with %d", next)
	}
}

func TestKeyOf(t *testing.T) {
	seen := map[Key][]string{}
	for _, parts := range [][]string{nil, {""}, {"", ""}, {"ab"}, {"a", "b"}, {"a", "b", ""}, {"", "ab"}, {"ab", ""}, {"id", "/webhooks/a", "1"}} {
		k := KeyOf(parts...)
		if before, ok := seen[k]; ok {
			t.Errorf("%q and %q have the same key", before, parts)
		}
		if k != KeyOf(parts...) {
			t.Errorf("%q has two keys", parts)
		}
		seen[k] = parts
	}
	if DigestOf([]byte("a")) == DigestOf([]byte("b")) || DigestOf(nil) != DigestOf([]byte{}) {
		t.Error("digests do not follow the bytes")
	}
}
