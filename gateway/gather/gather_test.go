package gather

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/event-gateway/gateway/gateway/dispatch/outcome"
	"github.com/event-gateway/gateway/gateway/store"
)

// groups are those that have run, each as the ids of its members.
func (b *bench) groups() (list []string) {
	b.t.Helper()
	for _, d := range b.ran.all() {
		list = append(list, strings.Join(membersOf(b.t, d), " "))
	}
	return list
}

func membersOf(t *testing.T, d *store.Delivery) (ids []string) {
	t.Helper()
	var data struct{ Events []struct{ ID string } }
	if err := json.Unmarshal(d.Event.Body, &data); err != nil {
		t.Fatalf("%s: %v", d.EventID, err)
	}
	for _, e := range data.Events {
		ids = append(ids, e.ID)
	}
	return ids
}

func (b *bench) expect(when string, want ...string) {
	b.t.Helper()
	if got := b.groups(); !slices.Equal(got, want) {
		b.t.Errorf("%s: groups %q, want %q", when, got, want)
	}
}

// leftovers checks the books when nothing is open any more.
func (b *bench) leftovers() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.routes["r"]
	if b.bytes != 0 || len(b.ended) != 0 || r.held != 0 || r.bytes != 0 || len(r.open) != 0 || r.claiming {
		b.t.Errorf("left: %d bytes, %d ended; route: %+v", b.bytes, len(b.ended), r)
	}
}

var rule = Rule{Wait: 5 * time.Second, Max: 12 * time.Second}

func rules(r Rule) map[string]Rule { return map[string]Rule{"r": r} }

func TestAPauseEndsAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(rule))
		first := b.send("a")
		b.send("b")
		settle(4 * time.Second)
		b.send("a")
		settle(4900 * time.Millisecond)
		b.expect("before the pause of a is over", "2")
		settle(200 * time.Millisecond)
		b.expect("after it", "2", "1 3")
		group := b.ran.all()[1]
		if group.Key != "a" || group.Gather || group.EventID != store.GroupID(first.Seq) {
			t.Errorf("group %+v", group)
		}
		if d := b.store.row(first.Seq); d.State != store.Merged || d.Last.Message != group.EventID || d.Last.Outcome != outcome.Merged || d.Attempt != 0 {
			t.Errorf("member %+v", d)
		}
	})
}

// Who never pauses gets a group after Max.
// TestTheOldestEndsFirst: of groups that end at one look at the clock.
func TestTheOldestEndsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(rule))
		var want []string
		for i := range 9 {
			b.send(fmt.Sprint("key", 9-i))
			want = append(want, fmt.Sprint(i+1))
		}
		settle(6 * time.Second)
		b.expect("after the pause of all", want...)
		b.leftovers()
	})
}

func TestMax(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(rule))
		for range 9 {
			b.send("")
			settle(2 * time.Second)
		}
		settle(10 * time.Second)
		b.expect("eighteen seconds of events", "1 2 3 4 5 6", "7 8 9")
		b.leftovers()
	})
}

func TestAGroupIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(rule))
		for range MaxMembers + 1 {
			b.send("many")
		}
		large := bytes.Repeat([]byte("1"), MaxBytes/3)
		for range 3 {
			b.sendBody("large", large)
		}
		b.sendBody("huge", bytes.Repeat(large, 4))
		settle(time.Second)
		if got := b.groups(); len(got) != 2 {
			t.Errorf("%d full groups at once", len(got))
		}
		settle(20 * time.Second)
		var sizes []int
		for _, d := range b.ran.all() {
			sizes = append(sizes, len(membersOf(t, d)))
		}
		slices.Sort(sizes)
		if want := []int{1, 1, 1, 2, MaxMembers}; !slices.Equal(sizes, want) {
			t.Errorf("sizes %v, want %v", sizes, want)
		}
		b.leftovers()
	})
}

// A restart neither extends a group nor cuts it short, and one whose commit did
// not happen is gathered anew.
func TestKills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(rule))
		b.send("a")
		settle(3 * time.Second)
		b.kill()
		b.send("a")
		settle(4 * time.Second)
		b.kill()
		b.expect("in the pause")
		settle(1100 * time.Millisecond)
		b.expect("after it", "1 2")
		for range 3 {
			b.send("b")
			b.kill()
			settle(3500 * time.Millisecond)
			b.kill()
		}
		settle(1600 * time.Millisecond)
		b.expect("Max counts from the first", "1 2", "3 4 5")
		b.kill()
		settle(time.Minute)
		b.expect("what was merged is not merged again", "1 2", "3 4 5")
		b.leftovers()
	})
}

// After a start a group is not ended before all that the store has is known.
func TestAllIsKnownFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		for range claimSize + 1 {
			b.send("a")
			settle(10 * time.Millisecond)
		}
		b.store.mu.Lock()
		b.store.lag = 2 * time.Second
		b.store.mu.Unlock()
		b.reload(rules(Rule{Wait: time.Second, Max: time.Hour}))
		settle(3 * time.Second)
		b.expect("half is known")
		settle(10 * time.Second)
		if got := b.groups(); len(got) != 1 {
			t.Errorf("%d groups, want one", len(got))
		}
	})
}

func TestReloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(rule))
		b.send("a")
		b.send("a")
		b.reload(nil)
		settle(time.Minute)
		b.expect("without its route")
		b.reload(rules(rule))
		settle(time.Second)
		b.expect("with it again", "1 2")
		b.send("a")
		b.send("a")
		b.reload(rules(Rule{}))
		settle(time.Second)
		b.expect("without a debounce each is alone", "1 2", "3", "4")
		b.send("a") // routed by the revision before
		settle(time.Second)
		b.expect("one that comes late", "1 2", "3", "4", "5")
		b.reload(rules(Rule{Wait: time.Minute, Max: time.Hour}))
		b.send("a")
		settle(30 * time.Second)
		b.reload(rules(Rule{Wait: 10 * time.Second, Max: time.Hour}))
		settle(time.Second)
		b.expect("a shorter wait counts at once", "1 2", "3", "4", "5", "6")
		b.leftovers()
	})
}

// What gathered when its route did and is found after a restart, without a
// debounce, runs alone.
// What was on its way when its route was taken out waits with the others for
// the route to return: no group of it ends meanwhile, not even of one.
func TestRouteGoneOnTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(rule))
		b.send("a")
		b.send("a")
		b.store.lag = time.Second
		b.kill()
		synctest.Wait() // the claim is on its way
		b.reload(nil)
		settle(2 * time.Second)
		b.expect("while the route is gone")
		b.reload(rules(rule))
		settle(5 * time.Second)
		b.expect("when it is back", "1 2")
		b.leftovers()
	})
}

// What a person takes out of a group leaves no trace: its time is that of the
// others, as it is after a restart.
func TestDiscardedMembersDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(rule))
		b.send("a")
		settle(4 * time.Second)
		b.send("a")
		settle(4 * time.Second)
		newest := b.send("a")
		settle(500 * time.Millisecond)
		b.Discard(newest.Seq)
		settle(600 * time.Millisecond)
		b.expect("the pause of those that are left", "1 2")
		oldest := b.send("b")
		for range 3 {
			settle(4 * time.Second)
			b.send("b")
			b.Discard(oldest.Seq)
		}
		settle(3900 * time.Millisecond)
		b.expect("before they have taken too long", "1 2")
		settle(200 * time.Millisecond)
		b.expect("then", "1 2", "5 6 7")
	})
}

func TestDebounceGoneWhileDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(rule))
		b.send("a")
		b.send("a")
		b.rules = rules(Rule{})
		b.kill()
		settle(time.Second)
		b.expect("each alone", "1", "2")
	})
}

func TestOperate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(rule))
		var sent []*store.Delivery
		for range 3 {
			sent = append(sent, b.send("a"))
		}
		if n, until := b.Waiting("r"); n != 3 || time.Until(until).Round(time.Second) != 5*time.Second {
			t.Errorf("%d wait until %v", n, until)
		}
		if due := b.Due(sent[0]); time.Until(due).Round(time.Second) != 5*time.Second {
			t.Errorf("the group is due at %v", due)
		}
		other := *sent[0]
		if other.Key = "b"; !b.Due(&other).IsZero() {
			t.Error("what is in no group here is due nevertheless")
		}
		b.store.change(&store.Change{Delivery: sent[1], State: store.Discarded})
		b.Discard(sent[1].Seq)
		if !b.Retry(sent[2].Seq) || b.Retry(1) {
			t.Error("a delivery that waits can be retried, no other")
		}
		settle(100 * time.Millisecond)
		b.expect("retried", "1 3")
		last := b.send("a")
		b.store.change(&store.Change{Delivery: last, State: store.Discarded})
		b.Discard(last.Seq)
		settle(time.Minute)
		b.expect("all discarded", "1 3")
		b.leftovers()
	})
}

// A group that its route can make no input of is halved; a member that has
// none by itself is dead, and says why.
func TestNoInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(rule))
		b.cannot = func(members []*store.Delivery) error {
			if len(members) > 2 || members[0].EventID == "4" {
				return errSize
			}
			return nil
		}
		var sent []*store.Delivery
		for range 5 {
			sent = append(sent, b.send("a"))
		}
		settle(10 * time.Second)
		b.expect("halved", "1 2", "3", "5")
		d := b.store.row(sent[3].Seq)
		if d.State != store.Dead || d.Last.Message != errSize.Error() || d.Last.Outcome != outcome.Permanent || d.Attempt != 1 {
			t.Errorf("dead: %+v", d)
		}
		b.store.mu.Lock()
		emitted := b.store.emitted
		b.store.mu.Unlock()
		if len(emitted) != 4 || emitted[2].Event.Type != outcome.DeadType {
			t.Errorf("%d events came of it", len(emitted))
		}
		b.leftovers()
	})
}

// What memory has no room for waits in the store.
func TestMemoryFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(Rule{Wait: time.Minute, Max: time.Hour}))
		for i := range maxHeld + 1000 {
			b.sendBody(fmt.Sprint(i/2), nil)
			if i%64 == 63 {
				settle(0) // Room counts what earlier commits brought
			}
		}
		settle(0)
		b.mu.Lock()
		held := b.routes["r"].held
		b.mu.Unlock()
		if held != maxHeld {
			t.Errorf("%d held", held)
		}
		settle(3 * time.Minute)
		if got := b.groups(); len(got) != maxHeld/2+500 {
			t.Errorf("%d groups", len(got))
		}
		b.leftovers()
	})
}

func TestClaimsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.send("a")
		b.store.mu.Lock()
		b.store.fail = errors.New("no")
		b.store.mu.Unlock()
		b.reload(rules(rule))
		settle(10 * time.Second)
		b.expect("while they fail")
		b.store.mu.Lock()
		b.store.fail = nil
		b.store.mu.Unlock()
		settle(2 * time.Second)
		b.expect("then", "1")
	})
}

// Whatever happens, each delivery ends in exactly one group, or dead, or
// discarded, and order is kept.
func TestChaos(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) { chaos(t, rand.New(rand.NewPCG(seed, 1))) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func chaos(t *testing.T, r *rand.Rand) {
	b := newBench(t, rules(rule))
	b.store.mu.Lock()
	b.store.lag = time.Duration(r.IntN(3)) * time.Second
	b.store.mu.Unlock()
	for range 150 {
		switch r.IntN(12) {
		case 0:
			b.kill()
		case 1:
			b.reload([]map[string]Rule{nil, rules(Rule{}), rules(rule), rules(Rule{Wait: 20 * time.Second, Max: time.Minute})}[r.IntN(4)])
		case 2:
			b.Nudge("r")
		case 3:
			b.Retry(b.store.seq.Next(time.Now(), 1) - 1)
		default:
			b.send(fmt.Sprint(r.IntN(3)))
		}
		settle(time.Duration(r.IntN(4000)) * time.Millisecond)
	}
	b.reload(rules(rule))
	settle(2 * time.Minute)
	in := map[string]string{}
	last := map[string]string{}
	for _, d := range b.ran.all() {
		for _, id := range membersOf(t, d) {
			if in[id] != "" {
				t.Errorf("event %s is in %s and in %s", id, in[id], d.EventID)
			}
			in[id] = d.EventID
			if before := last[d.Key]; len(before) > len(id) || len(before) == len(id) && before > id {
				t.Errorf("event %s of key %s runs after %s", id, d.Key, before)
			}
			last[d.Key] = id
		}
	}
	b.leftovers()
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	for seq, d := range b.store.rows {
		if d.Gather && (d.State != store.Merged || in[d.EventID] != d.Last.Message) {
			t.Errorf("delivery %d of event %s: %s %+v", seq, d.EventID, d.State, d.Last)
		}
	}
}
