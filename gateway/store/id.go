package store

import (
	"sync"
	"time"
)

// epoch is where ids begin to count: 2020-01-01 in Unix milliseconds.
const epoch = 1577836800000

// counterBits of an id distinguish what happens in one millisecond.
const counterBits = 22

// Sequence gives ids that grow with time: milliseconds since 2020 and a
// counter. They order rows by age, so that no index over time is needed.
type Sequence struct {
	mu   sync.Mutex
	last int64
}

// After makes every later id greater than seq: called with the newest stored
// one, so that a clock set back never repeats an id.
func (s *Sequence) After(seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last, seq)
}

// Next reserves n consecutive ids and returns the first.
func (s *Sequence) Next(now time.Time, n int) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := max(SeqAt(now), s.last+1)
	s.last = first + int64(n) - 1
	return first
}

// SeqAt is the smallest id that can be given at t.
func SeqAt(t time.Time) int64 { return (t.UnixMilli() - epoch) << counterBits }

// TimeOf is when an id was given, to the millisecond.
func TimeOf(seq int64) time.Time { return time.UnixMilli(seq>>counterBits + epoch).UTC() }

// alphabet is Crockford's base 32 in lower case: no i, l, o, u to misread.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

const idLength = 13

// FormatID writes an id in 13 characters that sort like the number.
func FormatID(seq int64) string {
	var b [idLength]byte
	for i := idLength - 1; i >= 0; i-- {
		b[i] = alphabet[seq&31]
		seq >>= 5
	}
	return string(b[:])
}

// ParseID reads what FormatID wrote.
func ParseID(id string) (seq int64, ok bool) {
	if len(id) != idLength || id[0] > '7' {
		return 0, false
	}
	for i := range len(id) {
		v := value(id[i])
		if v < 0 {
			return 0, false
		}
		seq = seq<<5 | v
	}
	return seq, true
}

func value(c byte) int64 {
	for i := range len(alphabet) {
		if alphabet[i] == c {
			return int64(i)
		}
	}
	return -1
}
