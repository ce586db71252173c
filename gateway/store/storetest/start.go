package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
)

// Starts last as long as they count, whatever became of their deliveries.
func starts(t *testing.T, open Opener) {
	s, shut := open(t, Options{Retain: store.Retain{Succeeded: time.Hour}})
	d := one(t, s)
	at := time.Now().UTC().Truncate(time.Second)
	start := func(s Store, state store.State, route string, after, window time.Duration) {
		record(&store.Change{Delivery: d, State: state, Start: &store.Start{Route: route, At: at.Add(after), Window: window}}, s)
	}
	expect := func(s Store, want map[string][]time.Duration) {
		t.Helper()
		list, err := s.Starts(ctx)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for route, times := range want {
			var got []time.Duration
			for _, s := range list {
				if s.Route == route {
					got = append(got, s.At.Sub(at))
				}
			}
			if n += len(got); !slices.Equal(got, times) {
				t.Errorf("starts of %s at %v, want %v", route, got, times)
			}
		}
		if n != len(list) {
			t.Errorf("%d starts, want %d: %v", len(list), n, list)
		}
	}
	start(s, store.Running, "r", 0, time.Minute)
	start(s, store.Running, "r", 0, time.Minute)
	start(s, store.Succeeded, "r", 59*time.Second, time.Minute)
	start(s, store.Running, "other", time.Hour, time.Minute)
	expect(s, map[string][]time.Duration{"r": {0, 0, 59 * time.Second}, "other": {time.Hour}})
	shut()
	s, shut = open(t, Options{Retain: store.Retain{Succeeded: time.Hour}})
	defer func() { shut() }()
	expect(s, map[string][]time.Duration{"r": {0, 0, 59 * time.Second}, "other": {time.Hour}})
	start(s, store.Running, "r", time.Minute, time.Minute)
	expect(s, map[string][]time.Duration{"r": {59 * time.Second, time.Minute}, "other": {time.Hour}})
	if err := s.Retain(ctx, at.Add(store.MaxWindow+30*time.Minute)); err != nil {
		t.Fatal(err)
	}
	expect(s, map[string][]time.Duration{"other": {time.Hour}})
}
