package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/event-gateway/gateway/gateway/store"
)

func addRevision(t *testing.T, s Store, r store.Revision) {
	t.Helper()
	if err := s.AddRevision(ctx, r); err != nil {
		t.Fatal(err)
	}
}

// hashes pages through all of the history.
func hashes(t *testing.T, s Store, limit int) (all []string) {
	t.Helper()
	for p := (store.Page{Limit: limit}); ; {
		list, err := s.Revisions(ctx, p)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			return all
		}
		for _, r := range list {
			all = append(all, r.Hash)
			p.Before = r.N
		}
	}
}

// What comes into force is kept in order, unless it was in force already, and
// found again by the beginning of its hash.
func revisions(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	at := time.Date(2030, 1, 2, 3, 4, 5, 6000, time.UTC)
	whole := store.Revision{Hash: "ab1", At: at, Reason: "api", Author: "ops", Difference: "routes: +a", Changes: []byte("[1]"), Content: []byte{0, 0xff}}
	addRevision(t, s, store.Revision{Hash: "ab2", At: at})
	addRevision(t, s, whole)
	addRevision(t, s, whole) // already in force
	shut()
	s, shut = open(t, Options{})
	defer func() { shut() }()
	addRevision(t, s, whole)
	addRevision(t, s, store.Revision{Hash: "ab2", At: at.Add(time.Hour), Reason: "file"})
	if diff := cmp.Diff([]string{"ab2", "ab1", "ab2"}, hashes(t, s, 2)); diff != "" {
		t.Errorf("history: %s", diff)
	}
	got, err := s.Revision(ctx, "ab1")
	if whole.N = got.N; err != nil || !cmp.Equal(whole, got) {
		t.Errorf("ab1: %v %s", err, cmp.Diff(whole, got))
	}
	for hash, want := range map[string]string{"": "file", "ab": "file", "ab2": "file", "ab1": "api"} {
		if got, err := s.Revision(ctx, hash); err != nil || got.Reason != want {
			t.Errorf("%q: %+v %v, want that of %s", hash, got, err, want)
		}
	}
	for _, hash := range []string{"b1", "ab11", "%", "a_1"} {
		if got, err := s.Revision(ctx, hash); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q: %+v %v", hash, got, err)
		}
	}
	if list, err := s.Revisions(ctx, store.Page{Limit: 9}); err != nil || list[1].Content != nil || string(list[1].Changes) != "[1]" {
		t.Errorf("list %+v %v", list, err)
	}
}

// The history has an end: in number, and in bytes but for the two newest.
func revisionsEnd(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	defer shut()
	for i := range 1005 {
		addRevision(t, s, store.Revision{Hash: fmt.Sprint("h", i)})
	}
	if all := hashes(t, s, 1000); len(all) != 1000 || all[0] != "h1004" || all[999] != "h5" {
		t.Errorf("%d revisions, %s to %s", len(all), all[0], all[len(all)-1])
	}
	large := []byte(strings.Repeat("x", 40<<20))
	for i := range 3 {
		addRevision(t, s, store.Revision{Hash: fmt.Sprint("l", i), Content: large})
	}
	if diff := cmp.Diff([]string{"l2", "l1"}, hashes(t, s, 10)); diff != "" {
		t.Errorf("history of large ones: %s", diff)
	}
}
