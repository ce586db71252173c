package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
)

func appendAndRead(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	defer shut()
	e := entry("a", "r1", "r2")
	e.Event.Body = []byte("\x00\xff{ not json \r\n")
	want := store.Receipt{EventID: "a", EventType: "test.a", Deliveries: 2}
	if got := mustAppend(t, s, e); got != want {
		t.Errorf("receipt %+v, want %+v", got, want)
	}
	got, ds, err := s.EventByID(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e.Event, got.Event, cmpopts.IgnoreUnexported(event.Event{})); diff != "" {
		t.Errorf("event changed on its way (-put +got):\n%s", diff)
	}
	if len(ds) != 2 || ds[0].Route != "r1" || ds[1].Route != "r2" || string(ds[0].Input) != `{"a":1}` {
		t.Errorf("deliveries %+v", ds)
	}
	if ds[0].ID() == ds[1].ID() || ds[0].State != store.Pending || ds[0].EventID != "a" {
		t.Errorf("delivery %+v", ds[0])
	}
	if _, _, err := s.EventByID(ctx, "none"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("unknown event: %v", err)
	}
	if s.Stats().Open != 2 {
		t.Errorf("open %d, want 2", s.Stats().Open)
	}
}

func duplicate(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	mustAppend(t, s, keyed(entry("a", "r"), 1, 7))
	shut()
	s, shut = open(t, Options{})
	defer shut()
	got := mustAppend(t, s, keyed(entry("b", "r"), 1, 7))
	want := store.Receipt{EventID: "a", EventType: "test.a", Deliveries: 1, Duplicate: true}
	if got != want {
		t.Errorf("receipt %+v, want %+v", got, want)
	}
	if all, _ := s.Events(ctx, store.EventFilter{Page: store.Page{Limit: 9}}); len(all) != 1 {
		t.Errorf("%d events stored, want 1", len(all))
	}
	if got := mustAppend(t, s, keyed(entry("c", "r"), 2, 7)); got.Duplicate {
		t.Error("another key counted as duplicate")
	}
}

func conflict(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	defer shut()
	mustAppend(t, s, keyed(entry("a", "r"), 1, 7))
	if _, err := s.Append(ctx, keyed(entry("a", "r"), 1, 8)); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("same key, other body: %v", err)
	}
	all, err := s.Events(ctx, store.EventFilter{Page: store.Page{Limit: 9}})
	if err != nil || len(all) != 2 || !all[0].Conflict || all[1].Conflict {
		t.Fatalf("the conflict is not kept as such: %+v %v", all, err)
	}
	if first, ds, err := s.EventByID(ctx, "a"); err != nil || first.Conflict || len(ds) != 1 {
		t.Errorf("by id: %+v %v %v", first, ds, err)
	}
	if s.Stats().Open != 1 {
		t.Errorf("open %d: a conflict must start nothing", s.Stats().Open)
	}
}

// Several events are stored together, or none of them is.
func allOrNothing(t *testing.T, open Opener) {
	var k taker
	s, shut := open(t, Options{Taker: &k})
	defer func() { shut() }()
	all := func(es ...*store.Entry) ([]store.Receipt, error) { return s.AppendAll(ctx, es) }
	first := mustAppend(t, s, keyed(entry("old", "r"), 9, 9))
	got, err := all(keyed(entry("a", "r"), 1, 1), keyed(entry("b"), 2, 2), keyed(entry("a", "r"), 1, 1), keyed(entry("x"), 9, 9))
	again := store.Receipt{EventID: "a", EventType: "test.a", Deliveries: 1}
	want := []store.Receipt{again, {EventID: "b", EventType: "test.b"}, again, first}
	want[2].Duplicate, want[3].Duplicate = true, true
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("%v\n%s", err, diff)
	}
	for name, es := range map[string][]*store.Entry{
		"an earlier one": {keyed(entry("c", "r"), 3, 3), keyed(entry("a", "r"), 1, 7), keyed(entry("d", "r"), 4, 4)},
		"one of its own": {keyed(entry("c", "r"), 3, 3), keyed(entry("e", "r"), 5, 5), keyed(entry("e", "r"), 5, 6)},
	} {
		if got, err := all(es...); !errors.Is(err, store.ErrConflict) || got != nil {
			t.Errorf("a conflict with %s: %v %v", name, got, err)
		}
	}
	if got, err := all(keyed(entry("c", "r"), 3, 8)); err != nil || got[0].Duplicate {
		t.Errorf("what a conflict kept out: %v %v", got, err)
	}
	if got, err := all(); len(got) != 0 || err != nil {
		t.Errorf("nothing: %v %v", got, err)
	}
	shut()
	if len(k.taken) != 3 { // old, a, c
		t.Errorf("taken %v", ids(k.taken))
	}
	s, shut = open(t, Options{})
	stored, err := s.Events(ctx, store.EventFilter{Page: store.Page{Limit: 99}})
	kept := map[string]int{}
	for _, e := range stored {
		if e.Conflict {
			kept[e.Event.ID]++
		}
	}
	if diff := cmp.Diff(map[string]int{"a": 1, "e": 1}, kept); err != nil || len(stored) != 6 || diff != "" {
		t.Errorf("%d stored, %v; conflicts kept:\n%s", len(stored), err, diff)
	}
}

func duplicatesAtOnce(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	defer shut()
	var wg sync.WaitGroup
	receipts := make([]store.Receipt, 64)
	for i := range receipts {
		wg.Go(func() { receipts[i], _ = s.Append(ctx, keyed(entry(fmt.Sprint("e", i), "r"), byte(i%4), 1)) })
	}
	wg.Wait()
	fresh := map[string]int{}
	for _, r := range receipts {
		if !r.Duplicate {
			fresh[r.EventID]++
		}
	}
	if len(fresh) != 4 {
		t.Errorf("fresh events %v, want 4", fresh)
	}
	for _, r := range receipts {
		if r.EventType == "" || r.Deliveries != 1 || fresh[r.EventID] != 1 {
			t.Errorf("receipt %+v names no first event", r)
		}
	}
}

func takenInOrder(t *testing.T, open Opener) {
	var k taker
	s, shut := open(t, Options{Taker: &k})
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for j := range 20 {
				mustAppend(t, s, entry(fmt.Sprintf("%d-%d", i, j), "r1", "r2"))
			}
		})
	}
	wg.Wait()
	shut()
	if len(k.taken) != 32*20*2 {
		t.Fatalf("taken %d, want %d", len(k.taken), 32*20*2)
	}
	if !slices.IsSortedFunc(k.taken, func(a, b *store.Delivery) int { return int(a.Seq - b.Seq) }) {
		t.Error("not taken in commit order")
	}
	for _, d := range k.taken {
		if d.Event == nil || !d.Claimed || d.Event.ID != d.EventID {
			t.Fatalf("taken without its event: %+v", d)
		}
	}
}

func noRoom(t *testing.T, open Opener) {
	k := taker{room: func(d *store.Delivery) bool { return d.Route == "roomy" }}
	s, shut := open(t, Options{Taker: &k})
	defer shut()
	mustAppend(t, s, entry("a", "roomy", "full"))
	if got := claim(t, s, store.Claim{Route: "roomy"}); len(got.Deliveries) != 0 {
		t.Errorf("claimed what memory has: %v", ids(got.Deliveries))
	}
	if got := claim(t, s, store.Claim{Route: "full"}); len(got.Deliveries) != 1 {
		t.Errorf("claimed %d of what memory had no room for, want 1", len(got.Deliveries))
	}
	if len(k.taken) != 2 || k.taken[0].Claimed == k.taken[1].Claimed {
		t.Errorf("taker was told of %d deliveries", len(k.taken))
	}
}

func backlogBound(t *testing.T, open Opener) {
	s, shut := open(t, Options{MaxPending: 2})
	defer shut()
	mustAppend(t, s, entry("a", "r", "r2"))
	if _, err := s.Append(ctx, entry("b", "r")); !errors.Is(err, store.ErrBacklog) {
		t.Fatalf("beyond the bound: %v", err)
	}
	d := claim(t, s, store.Claim{Route: "r"}).Deliveries[0]
	record(&store.Change{Delivery: d, State: store.Succeeded, Attempt: store.Attempt{Number: 1}, AttemptEnded: true}, s)
	mustAppend(t, s, entry("c", "r"))
}

// What a schedule fired and what else is remembered of it do not disturb one
// another, whichever comes first, and outlive the process.
func slot(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	at := func(second int64) time.Time { return time.Unix(1700000000+second, 0).UTC() }
	fire := func(name string, second int64) {
		e := keyed(entry(fmt.Sprint(name, "@", second)), byte(second), 1)
		e.Slot = &store.Slot{Schedule: name, Spec: "every 5s", At: at(second)}
		mustAppend(t, s, e)
	}
	positions := func(want ...store.Position) {
		t.Helper()
		got, err := s.Positions(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("positions (-want +got):\n%s", diff)
		}
	}
	positions()
	b := store.Position{Schedule: "b", Spec: "every 5s", Since: at(2), Seen: at(3), Paused: true}
	fire("a", 5)
	if err := s.KeepPosition(ctx, b); err != nil {
		t.Fatal(err)
	}
	fire("b", 10)
	b.Last = at(10)
	a := store.Position{Schedule: "a", Spec: "every 9s", Last: at(5), Since: at(6)}
	if err := s.KeepPosition(ctx, a); err != nil {
		t.Fatal(err)
	}
	positions(a, b)
	shut()
	s, shut = open(t, Options{})
	defer shut()
	positions(a, b)
	if err := s.ForgetPosition(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	positions(b)
}

func lists(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	defer shut()
	for i := range 5 {
		mustAppend(t, s, entry(fmt.Sprint(i), "r"))
	}
	mustAppend(t, s, entry("unrouted"))
	page := store.EventFilter{Page: store.Page{Limit: 2}}
	var seen []string
	for {
		got, err := s.Events(ctx, page)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			break
		}
		for _, e := range got {
			seen = append(seen, e.Event.ID)
		}
		page.Before = got[len(got)-1].Seq
	}
	if diff := cmp.Diff([]string{"unrouted", "4", "3", "2", "1", "0"}, seen); diff != "" {
		t.Error(diff)
	}
	no := false
	if got, _ := s.Events(ctx, store.EventFilter{Routed: &no, Page: store.Page{Limit: 9}}); len(got) != 1 || got[0].Event.ID != "unrouted" {
		t.Errorf("unrouted: %+v", got)
	}
	if got, _ := s.Events(ctx, store.EventFilter{Type: "test.3", Page: store.Page{Limit: 9}}); len(got) != 1 {
		t.Errorf("by type: %+v", got)
	}
	f := store.DeliveryFilter{States: []store.State{store.Pending, store.Running}, Route: "r", Page: store.Page{Limit: 3}}
	if got, _ := s.Deliveries(ctx, f); len(got) != 3 || got[0].EventID != "4" {
		t.Errorf("deliveries: %v", ids(got))
	}
}

// Source and id name an event, without any key: CloudEvents says so.
func identity(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	defer shut()
	first := entry("a", "r")
	mustAppend(t, s, first)
	if got := mustAppend(t, s, entry("a", "r")); !got.Duplicate {
		t.Error("same source and id: not a duplicate")
	}
	other := entry("a", "r")
	other.Event.Source = "/webhooks/other"
	if got := mustAppend(t, s, other); got.Duplicate {
		t.Error("another source's event with that id: a duplicate")
	}
	if found, _, err := s.EventByID(ctx, "a"); err != nil || found.Event.Source != other.Event.Source {
		t.Errorf("by id: %+v %v, want the newest", found, err)
	}
}
