package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/event-gateway/gateway/gateway/store"
)

// endedAtOnce: what ends as soon as it was committed is listed among what does not,
// may run again, and leaves in its time.
func endedAtOnce(t *testing.T, open Opener) {
	var k taker
	s, shut := open(t, Options{Taker: &k, Retain: store.Retain{Succeeded: 3 * time.Hour, Dead: 5 * time.Hour, Unrouted: time.Hour}})
	defer func() { shut() }()
	at := time.Now().UTC().Truncate(time.Microsecond)
	for i := range 9 {
		mustAppend(t, s, entry(fmt.Sprint("e", i), "all", "some"))
	}
	want := slices.Clone(k.taken)
	var commits sync.WaitGroup
	for i, d := range want {
		if d.Route == "some" && i%4 == 1 {
			continue
		}
		commits.Add(1)
		s.Record(&store.Change{
			Delivery: d, State: store.Succeeded, Attempts: 1, FirstAttemptAt: at, AttemptEnded: true,
			Attempt:   store.Attempt{Number: 1, Started: at, Ended: at.Add(time.Millisecond), Outcome: "succeeded", Process: "p"},
			Committed: commits.Done,
		})
	}
	commits.Wait()
	checkEnded(t, s, want)

	again := want[8]
	if _, err := s.Again(ctx, again.Seq, at); !errors.Is(err, store.ErrState) {
		t.Errorf("again, one that ended later: %v", err)
	}
	if before, err := s.Again(ctx, again.Seq, at.Add(time.Hour)); err != nil || before.Seq != again.Seq {
		t.Fatalf("again: %+v, %v", before, err)
	}
	if _, err := s.Retry(ctx, want[4].Seq); !errors.Is(err, store.ErrState) {
		t.Errorf("retry of one that succeeded: %v", err)
	}
	checkEnded(t, s, want)
	d, attempts, err := s.Delivery(ctx, again.Seq)
	if err != nil || d.State != store.Pending || len(attempts) != 1 || attempts[0].Outcome != "succeeded" {
		t.Errorf("again: %+v %+v, %v", d, attempts, err)
	}

	shut()
	s, shut = open(t, Options{Retain: store.Retain{Succeeded: 3 * time.Hour, Dead: 5 * time.Hour, Unrouted: time.Hour}})
	checkEnded(t, s, want)
	leaves(t, s, want, again, at)
}

// checkEnded lists all of them in both directions, in pages and by each filter.
func checkEnded(t *testing.T, s Store, want []*store.Delivery) {
	t.Helper()
	for _, f := range []store.DeliveryFilter{
		{}, {Page: store.Page{OldestFirst: true}}, {Route: "some"}, {Engine: "none"}, {Route: "all", Engine: "exec"},
		{States: []store.State{store.Succeeded}}, {States: []store.State{store.Pending}}, {States: []store.State{store.Dead, store.Pending, store.Succeeded}},
	} {
		var got, all []int64
		known := map[int64]store.State{}
		for f.Limit = 4; ; {
			list, err := s.Deliveries(ctx, f)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range list {
				got, known[d.Seq] = append(got, d.Seq), d.State
				if f.Before = d.Seq; f.OldestFirst {
					f.Before, f.After = 0, d.Seq
				}
				if d.EventID == "" || string(d.Input) != `{"a":1}` || len(f.States) > 0 && !slices.Contains(f.States, d.State) {
					t.Errorf("%+v: %+v", f, d)
				}
			}
			if len(list) < f.Limit {
				break
			}
		}
		for _, d := range want {
			stands, _, err := s.Delivery(ctx, d.Seq)
			if err != nil {
				t.Fatal(err)
			}
			if (f.Route == "" || f.Route == d.Route) && (f.Engine == "" || f.Engine == d.Engine) && (len(f.States) == 0 || slices.Contains(f.States, stands.State)) {
				all = append(all, d.Seq)
			}
		}
		if !f.OldestFirst {
			slices.Reverse(all)
		}
		if diff := cmp.Diff(all, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", f, diff)
		}
	}
	_, of, err := s.EventByID(ctx, want[2].EventID)
	if err != nil || len(of) != 2 || of[0].Seq != want[2].Seq || of[1].Seq != want[3].Seq {
		t.Errorf("deliveries of %s: %+v, %v", want[2].EventID, of, err)
	}
}

// leaves lets pass the time of what succeeded: what is open stays, with its event.
func leaves(t *testing.T, s Store, all []*store.Delivery, again *store.Delivery, at time.Time) {
	t.Helper()
	for _, round := range []struct {
		after time.Duration
		left  func(i int, d *store.Delivery) bool
	}{
		{2 * time.Hour, func(int, *store.Delivery) bool { return true }},
		{4 * time.Hour, func(i int, d *store.Delivery) bool { return d == again || d.Route == "some" && i%4 == 1 }},
	} {
		for range 2 {
			if err := s.Retain(ctx, at.Add(round.after)); err != nil {
				t.Fatal(err)
			}
		}
		events := map[string]bool{}
		for i, d := range all {
			left := round.left(i, d)
			events[d.EventID] = events[d.EventID] || left
			if _, _, err := s.Delivery(ctx, d.Seq); left != (err == nil) {
				t.Errorf("after %v: delivery %d, left %t: %v", round.after, i, left, err)
			}
		}
		for id, left := range events {
			if _, _, err := s.EventByID(ctx, id); left != (err == nil) {
				t.Errorf("after %v: event %s, left %t: %v", round.after, id, left, err)
			}
		}
	}
}
