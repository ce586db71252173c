package gather

import (
	"slices"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
)

// Rule is how long a group waits for more. The zero rule makes groups of one.
type Rule struct {
	// Wait is the pause that ends a group, Max how long it may take in all.
	Wait, Max time.Duration
}

// A group has at most so many members, and so many bytes if it has more than
// one: it becomes an event, which has to be held, stored and sent.
const (
	MaxMembers = 1000
	MaxBytes   = 1 << 20
)

// group is what has gathered of one key, oldest first.
type group struct {
	members []*store.Delivery
	bytes   int
	// first and last are when the oldest and the newest arrived.
	first, last time.Time
}

// fits tells whether a delivery may join; alone: each makes a group of its own.
func (g *group) fits(alone bool, d *store.Delivery) bool {
	most := MaxMembers
	if alone {
		most = 1
	}
	return len(g.members) < most && (len(g.members) == 0 || g.bytes+d.Event.MemberSize() <= MaxBytes)
}

func (g *group) add(d *store.Delivery, now time.Time) {
	g.members = append(g.members, d)
	g.bytes += d.Event.MemberSize()
	g.last = arrival(d, now)
	if len(g.members) == 1 {
		g.first = g.last
	}
}

// arrival is told by the id, so that a restart neither extends a group nor cuts
// it short; not later than now, if the clock has been set back.
func arrival(d *store.Delivery, now time.Time) time.Time {
	if at := store.TimeOf(d.Seq); at.Before(now) {
		return at
	}
	return now
}

// due is when the group ends by the rule.
func (g *group) due(r Rule) time.Time {
	pause, most := g.last.Add(r.Wait), g.first.Add(r.Max)
	if most.Before(pause) {
		return most
	}
	return pause
}

func (g *group) find(seq int64) int {
	return slices.IndexFunc(g.members, func(d *store.Delivery) bool { return d.Seq == seq })
}

func (g *group) remove(i int, now time.Time) {
	g.bytes -= g.members[i].Event.MemberSize()
	g.members = slices.Delete(g.members, i, i+1)
	if n := len(g.members); n > 0 {
		g.first, g.last = arrival(g.members[0], now), arrival(g.members[n-1], now)
	}
}
