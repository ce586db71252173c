package gate

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"
)

// Rate is how often something may happen: Count times in a Window in the long
// run, and Burst times at once. The zero value sets no limit.
type Rate struct {
	Count  int
	Window time.Duration
	Burst  int
}

func (r Rate) every() int64 { return int64(r.Window) / int64(r.Count) }

// Bucket is what is left of a rate. It is a single number, the time at which
// the bucket is full again (the generic cell rate algorithm), so there is
// nothing to lock and nothing to refill. The zero value is full.
type Bucket struct{ full atomic.Int64 }

// take takes one at a moment, or tells how long there will be none.
func (b *Bucket) take(r Rate, now int64) (wait time.Duration) {
	for {
		was := b.full.Load()
		full := max(was, now)
		if wait := full - now - r.every()*int64(r.Burst-1); wait > 0 {
			return time.Duration(wait)
		}
		if b.full.CompareAndSwap(was, full+r.every()) {
			return 0
		}
	}
}

// cells is how many buckets there are for senders, twice. They take 1 MiB,
// however many senders there are.
const cells = 1 << 16

// Limiter bounds how often a webhook is sent to, in all and by each sender. It
// lives as long as the gateway, so that a reload fills nobody's bucket.
type Limiter struct {
	// began makes times that no change of the clock moves.
	began time.Time
	seeds [2]maphash.Seed
	// senders share buckets by chance. Each has one in either row, and sends as
	// long as one of the two has something left: those who use theirs up take
	// nothing from others who do not meet them in both rows.
	senders [2][cells]Bucket
}

// NewLimiter makes a limiter whose buckets are all full.
func NewLimiter() *Limiter {
	return &Limiter{began: time.Now(), seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
}

func (l *Limiter) now() int64 { return int64(time.Since(l.began)) }

// Sender takes one from what an address has left at a webhook, or tells how
// long that is nothing. The addresses of an IPv6 network of 64 bits are one
// sender: anybody has that many.
func (l *Limiter) Sender(r Rate, webhook string, addr netip.Addr) (wait time.Duration) {
	if r.Count == 0 {
		return 0
	}
	if addr.Is6() {
		addr = netip.PrefixFrom(addr.WithZone(""), 64).Masked().Addr()
	}
	type key struct {
		webhook string
		addr    netip.Addr
	}
	now := l.now()
	for row := range l.senders {
		cell := maphash.Comparable(l.seeds[row], key{webhook, addr}) % cells
		if w := l.senders[row][cell].take(r, now); row == 0 || w < wait {
			wait = w
		}
	}
	return wait
}

// All takes one from what a webhook has left for all senders, or tells how long
// that is nothing.
func (l *Limiter) All(r Rate, b *Bucket) (wait time.Duration) {
	if r.Count == 0 {
		return 0
	}
	return b.take(r, l.now())
}
