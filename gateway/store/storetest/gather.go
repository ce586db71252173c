package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
)

// Deliveries that gather become one event with a delivery that runs, all at
// once; what gathers is known after a restart, and what was merged stays so.
func gathering(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	for _, id := range []string{"a", "b", "c"} {
		e := entry(id, "r")
		e.Deliveries[0].Gather = true
		mustAppend(t, s, e)
	}
	shut()
	s, shut = open(t, Options{})
	defer func() { shut() }()
	if routes, err := s.Gathering(ctx); err != nil || !slices.Equal(routes, []string{"r"}) {
		t.Errorf("gathering %v, %v", routes, err)
	}
	members := claim(t, s, store.Claim{Route: "r", Gather: true, InOrder: true}).Deliveries
	if len(members) != 3 || !members[0].Gather || !members[2].Gather {
		t.Fatalf("after a restart: %+v", members)
	}
	merge(s, members[:2], entry("group", "r"))
	check := func(when string) {
		t.Helper()
		list, err := s.Deliveries(ctx, store.DeliveryFilter{Page: store.Page{Limit: 9, OldestFirst: true}})
		if err != nil || len(list) != 4 || s.Stats().Open != 2 {
			t.Fatalf("%s: %d deliveries, %d open, %v", when, len(list), s.Stats().Open, err)
		}
		var states []string
		for _, d := range list {
			states = append(states, d.EventID+" "+d.State.String())
		}
		if want := []string{"a merged", "b merged", "c pending", "group pending"}; !slices.Equal(states, want) || list[3].Gather {
			t.Errorf("%s: %v, want %v", when, states, want)
		}
		if d := list[1]; d.Last.Message != "into group" || d.Last.Ended.IsZero() || d.Attempt != 0 {
			t.Errorf("%s: merged %+v", when, d)
		}
	}
	check("merged")
	for name, op := range map[string]func() error{
		"retry":   func() error { _, err := s.Retry(ctx, members[0].Seq); return err },
		"again":   func() error { _, err := s.Again(ctx, members[0].Seq, time.Now().Add(time.Hour)); return err },
		"discard": func() error { _, err := s.Discard(ctx, members[0].Seq); return err },
	} {
		if err := op(); !errors.Is(err, store.ErrState) {
			t.Errorf("%s of what was merged: %v", name, err)
		}
	}
	shut()
	s, shut = open(t, Options{})
	check("after a restart")
	for gather, want := range map[bool]string{true: "c", false: "group"} {
		if got := claim(t, s, store.Claim{Route: "r", Gather: gather}); !slices.Equal(ids(got.Deliveries), []string{want}) || !got.NextDue.IsZero() {
			t.Errorf("gather %v: claimed %v, want %s", gather, ids(got.Deliveries), want)
		}
	}
}

// What was merged leaves as what succeeded does.
func mergedLeaves(t *testing.T, open Opener) {
	s, shut := open(t, Options{Retain: store.Retain{Succeeded: time.Hour, Unrouted: time.Hour}})
	defer shut()
	e := entry("a", "r")
	e.Deliveries[0].Gather = true
	mustAppend(t, s, e)
	merge(s, claim(t, s, store.Claim{Route: "r", Gather: true}).Deliveries, entry("group", "r"))
	for _, round := range []struct {
		after time.Duration
		left  int
	}{{30 * time.Minute, 2}, {2 * time.Hour, 1}} {
		if err := s.Retain(ctx, time.Now().Add(round.after)); err != nil {
			t.Fatal(err)
		}
		if list, err := s.Deliveries(ctx, store.DeliveryFilter{Page: store.Page{Limit: 9}}); err != nil || len(list) != round.left {
			t.Errorf("after %v: %d deliveries, want %d: %v", round.after, len(list), round.left, err)
		}
	}
}

// merge ends members as dispatch does.
func merge(s Store, members []*store.Delivery, into *store.Entry) {
	var changes []*store.Change
	for _, d := range members {
		changes = append(changes, &store.Change{
			Delivery: d, State: store.Merged, Due: d.Due,
			Attempt: store.Attempt{Ended: time.Now(), Outcome: "merged", Message: "into " + into.Event.ID},
		})
	}
	changes[0].Emit, changes[0].Also = into, changes[1:]
	record(changes[0], s)
}
