package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/event-gateway/gateway/gateway/store"
)

func overlay(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	defer func() { shut() }()
	at := time.Date(2030, 1, 2, 3, 4, 5, 6000, time.UTC)
	first := store.OverlayEntry{Name: "routes.b", Text: []byte("routes: {b: 1}\n"), At: at}
	second := store.OverlayEntry{Name: "schedules.a", Text: []byte{0xff, 0}, At: at.Add(time.Second)}
	expect := func(want ...store.OverlayEntry) {
		t.Helper()
		got, err := s.Overlay(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("overlay: %s", diff)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	expect()
	must(s.PutOverlay(ctx, first))
	must(s.PutOverlay(ctx, second))
	expect(first, second)
	first.Text = []byte("another")
	must(s.PutOverlay(ctx, first)) // keeps its place
	expect(first, second)
	shut()
	s, shut = open(t, Options{})
	expect(first, second)
	must(s.DropOverlay(ctx, first.Name))
	expect(second)
	if err := s.DropOverlay(ctx, first.Name); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("drop twice: %v", err)
	}
	must(s.PutOverlay(ctx, first))
	expect(second, first)
}

// A schedule that is dropped leaves nothing that another of its name would go
// on from.
func overlaySchedule(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	defer shut()
	for _, name := range []string{"a", "b"} {
		e := entry(name)
		e.Slot = &store.Slot{Schedule: name, Spec: "every 5s", At: time.Now().UTC().Truncate(time.Second)}
		mustAppend(t, s, e)
		if err := s.PutOverlay(ctx, store.OverlayEntry{Name: "schedules." + name}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.DropOverlay(ctx, "schedules.a"); err != nil {
		t.Fatal(err)
	}
	left, err := s.Positions(ctx)
	if err != nil || len(left) != 1 || left[0].Schedule != "b" {
		t.Errorf("positions %+v %v, want b's alone", left, err)
	}
}
