package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/event-gateway/gateway/gateway/store"
)

// again: what ended runs once more under its own id, once for each time that it
// is asked to, whoever asks and however often.
func again(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	defer shut()
	for _, end := range []struct {
		state   store.State
		outcome string
	}{{store.Succeeded, "succeeded"}, {store.Dead, "permanent"}} {
		mustAppend(t, s, entry(end.outcome, "r"))
		d := claim(t, s, store.Claim{Route: "r"}).Deliveries[0]
		before := attempt(1, end.outcome).Ended.Add(time.Second)
		if _, err := s.Again(ctx, d.Seq, before); !errors.Is(err, store.ErrState) {
			t.Errorf("one that is open: %v", err)
		}
		record(&store.Change{Delivery: d, State: end.state, Attempts: 1, Attempt: attempt(1, end.outcome), AttemptEnded: true}, s)
		if _, err := s.Again(ctx, d.Seq, attempt(1, "").Ended); !errors.Is(err, store.ErrState) {
			t.Errorf("one that ended later: %v", err)
		}
		if _, err := s.Again(ctx, d.Seq, before); err != nil || s.Stats().Open != 1 {
			t.Fatalf("%s: %v, %d open", end.outcome, err, s.Stats().Open)
		}
		if _, err := s.Again(ctx, d.Seq, before); !errors.Is(err, store.ErrState) {
			t.Errorf("twice: %v", err)
		}
		got := claim(t, s, store.Claim{Route: "r"}).Deliveries
		if len(got) != 1 || got[0].ID() != d.ID() {
			t.Fatalf("claimed %+v", got)
		}
		second := attempt(2, "succeeded")
		second.Started, second.Ended = before, before.Add(time.Second)
		record(&store.Change{Delivery: d, State: store.Succeeded, Attempts: 2, Attempt: second, AttemptEnded: true}, s)
		_, attempts, err := s.Delivery(ctx, d.Seq)
		if diff := cmp.Diff([]store.Attempt{attempt(1, end.outcome), second}, attempts); err != nil || diff != "" {
			t.Errorf("history: %v %s", err, diff)
		}
		if _, err := s.Again(ctx, d.Seq, before); !errors.Is(err, store.ErrState) {
			t.Errorf("after it ended again: %v", err)
		}
	}
	if _, err := s.Again(ctx, 42, time.Now()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("nothing: %v", err)
	}
}

func oldestFirst(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	defer shut()
	for _, id := range []string{"a", "b", "c"} {
		mustAppend(t, s, entry(id, "r"))
	}
	events, err := s.Events(ctx, store.EventFilter{Page: store.Page{Limit: 2, OldestFirst: true}})
	if err != nil || len(events) != 2 || events[0].Event.ID != "a" || events[1].Event.ID != "b" {
		t.Fatalf("%v %v", events, err)
	}
	rest, err := s.Events(ctx, store.EventFilter{Page: store.Page{Limit: 9, OldestFirst: true, After: events[1].Seq}})
	if err != nil || len(rest) != 1 || rest[0].Event.ID != "c" {
		t.Errorf("after %v: %v %v", events[1].Seq, rest, err)
	}
	ds, err := s.Deliveries(ctx, store.DeliveryFilter{Page: store.Page{Limit: 9, OldestFirst: true, After: events[0].Seq + 1, Before: rest[0].Seq}})
	if err != nil || !slices.Equal(ids(ds), []string{"b"}) {
		t.Errorf("deliveries %v %v", ids(ds), err)
	}
}

// replays: an event's replays are found by its id, once in each replay.
func replays(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	mustAppend(t, s, entry("a", "r"))
	mustAppend(t, s, entry("b", "r"))
	for range 2 {
		mustAppend(t, s, entry(store.ReplayID("a", "1"), "r"))
	}
	shut()
	s, shut = open(t, Options{})
	defer shut()
	mustAppend(t, s, entry(store.ReplayID("a~replay-1", "2"), "r"))
	got, err := s.Events(ctx, store.EventFilter{Page: store.Page{Limit: 9, OldestFirst: true}, ReplayOf: "a"})
	if err != nil || len(got) != 2 || got[0].Event.ID != "a~replay-1" || got[1].Event.ID != "a~replay-2" {
		t.Errorf("%v %v", got, err)
	}
	if none, err := s.Events(ctx, store.EventFilter{Page: store.Page{Limit: 9}, ReplayOf: "b"}); err != nil || len(none) != 0 {
		t.Errorf("%v %v", none, err)
	}
}
