package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/event-gateway/gateway/gateway/store"
)

func claims(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	defer shut()
	for _, id := range []string{"a", "b", "c"} {
		mustAppend(t, s, entry(id, "r"))
	}
	got := claim(t, s, store.Claim{Route: "r", Limit: 2})
	if !slices.Equal(ids(got.Deliveries), []string{"a", "b"}) || !got.More || got.NextDue.IsZero() {
		t.Errorf("first claim %v more %v next %v", ids(got.Deliveries), got.More, got.NextDue)
	}
	if d := got.Deliveries[0]; d.Event == nil || string(d.Event.Body) != `{"id":"a"}` || d.Event.Headers["x-test"] != "a" {
		t.Errorf("claimed without its event: %+v", d)
	}
	got = claim(t, s, store.Claim{Route: "r", Limit: 2})
	if !slices.Equal(ids(got.Deliveries), []string{"c"}) || got.More || !got.NextDue.IsZero() {
		t.Errorf("second claim %v more %v next %v", ids(got.Deliveries), got.More, got.NextDue)
	}
	if got := claim(t, s, store.Claim{Route: "other"}); len(got.Deliveries) != 0 {
		t.Errorf("another route's: %v", ids(got.Deliveries))
	}
}

func claimByKey(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	defer shut()
	for _, id := range []string{"a", "b", "c"} {
		e := entry(id, "r")
		e.Deliveries[0].Key = "key-" + id
		mustAppend(t, s, e)
	}
	got := claim(t, s, store.Claim{Route: "r", Except: []string{"key-a", "key-c"}})
	if !slices.Equal(ids(got.Deliveries), []string{"b"}) {
		t.Errorf("claimed %v, want b", ids(got.Deliveries))
	}
}

func claimInOrder(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	defer shut()
	late := entry("a", "r")
	late.Deliveries[0].Due = time.Now().Add(time.Hour)
	mustAppend(t, s, late)
	mustAppend(t, s, entry("b", "r"))
	if got := claim(t, s, store.Claim{Route: "r", Limit: 1, InOrder: true}); !slices.Equal(ids(got.Deliveries), []string{"a"}) {
		t.Errorf("in order %v, want a", ids(got.Deliveries))
	}
	if got := claim(t, s, store.Claim{Route: "r"}); !slices.Equal(ids(got.Deliveries), []string{"b"}) {
		t.Errorf("due %v, want b", ids(got.Deliveries))
	}
}

func claimBytes(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	defer shut()
	for _, id := range []string{"a", "b", "c"} {
		e := entry(id, "r")
		e.Event.Body = make([]byte, 1000)
		mustAppend(t, s, e)
	}
	got := claim(t, s, store.Claim{Route: "r", MaxBytes: 1500})
	if len(got.Deliveries) != 2 || !got.More {
		t.Errorf("claimed %v more %v", ids(got.Deliveries), got.More)
	}
	if got := claim(t, s, store.Claim{Route: "r", MaxBytes: 1500}); len(got.Deliveries) != 1 {
		t.Errorf("what did not fit was not left: %v", ids(got.Deliveries))
	}
}

// one appends an event with one delivery and claims it.
func one(t *testing.T, s Store) *store.Delivery {
	t.Helper()
	mustAppend(t, s, entry("a", "r"))
	return claim(t, s, store.Claim{Route: "r"}).Deliveries[0]
}

func attempt(n int, outcome string) store.Attempt {
	at := time.Unix(1700000000+int64(n), 0).UTC()
	return store.Attempt{Number: n, Started: at, Ended: at.Add(time.Millisecond), Outcome: outcome, Message: "m", Process: "p1"}
}

func outcome(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	d := one(t, s)
	ran := attempt(1, "succeeded")
	ran.Output = []byte(`{"ok":true}`)
	record(&store.Change{
		Delivery: d, State: store.Succeeded, RunID: "run-1", Attempts: 1, FirstAttemptAt: ran.Started,
		Attempt: ran, AttemptEnded: true,
	}, s)
	shut()
	s, shut = open(t, Options{})
	defer shut()
	got, attempts, err := s.Delivery(ctx, d.Seq)
	if err != nil || got.State != store.Succeeded || got.RunID != "run-1" || got.Attempt != 1 || !got.FirstAttemptAt.Equal(ran.Started) {
		t.Fatalf("delivery %+v %v", got, err)
	}
	if diff := cmp.Diff([]store.Attempt{ran}, attempts); diff != "" {
		t.Error(diff)
	}
	if s.Stats().Open != 0 {
		t.Errorf("open %d, want 0", s.Stats().Open)
	}
}

func retryHistory(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	defer shut()
	d := one(t, s)
	due := time.Now().Add(time.Hour)
	record(&store.Change{Delivery: d, Due: due, Attempts: 1, Attempt: attempt(1, "retryable"), AttemptEnded: true}, s)
	if got := claim(t, s, store.Claim{Route: "r"}); len(got.Deliveries) != 0 || got.NextDue.UnixMicro() != due.UnixMicro() {
		t.Errorf("before it is due: %v next %v", ids(got.Deliveries), got.NextDue)
	}
	again := claim(t, s, store.Claim{Route: "r", Now: due}).Deliveries
	if len(again) != 1 || again[0].ID() != d.ID() || again[0].Attempt != 1 {
		t.Fatalf("when due: %+v", again)
	}
	record(&store.Change{Delivery: d, State: store.Dead, Attempts: 2, Attempt: attempt(2, "permanent"), AttemptEnded: true}, s)
	got, attempts, err := s.Delivery(ctx, d.Seq)
	want := []store.Attempt{attempt(1, "retryable"), attempt(2, "permanent")}
	if diff := cmp.Diff(want, attempts); err != nil || got.State != store.Dead || diff != "" {
		t.Errorf("%v %v %s", got.State, err, diff)
	}
}

// An attempt that goes on, or that a person ended, has its number.
func attemptUnderWay(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	defer shut()
	d := one(t, s)
	expect := func(when string, want ...int) {
		t.Helper()
		got, attempts, err := s.Delivery(ctx, d.Seq)
		var numbers []int
		for _, a := range attempts {
			numbers = append(numbers, a.Number)
		}
		if err != nil || !slices.Equal(numbers, want) || got.Last.Number != want[len(want)-1] {
			t.Errorf("%s: attempts %v, want %v, the last is %+v, %v", when, numbers, want, got.Last, err)
		}
	}
	begun := func(n int) store.Attempt { return store.Attempt{Number: n, Started: attempt(n, "").Started} }
	record(&store.Change{Delivery: d, State: store.Running, Claimed: true, Attempt: begun(1)}, s)
	expect("the first goes on", 1)
	record(&store.Change{Delivery: d, Attempts: 1, Attempt: attempt(1, "retryable"), AttemptEnded: true}, s)
	expect("it has failed", 1)
	record(&store.Change{Delivery: d, State: store.Waiting, Claimed: true, Attempts: 1, Attempt: begun(2)}, s)
	expect("the second waits", 1, 2)
	if _, err := s.Discard(ctx, d.Seq); err != nil {
		t.Fatal(err)
	}
	expect("a person ended it", 1, 2)
	if _, err := s.Retry(ctx, d.Seq); err != nil {
		t.Fatal(err)
	}
	again := attempt(2, "succeeded")
	record(&store.Change{Delivery: d, State: store.Succeeded, Attempts: 2, Attempt: again, AttemptEnded: true}, s)
	expect("in the end", 1, 2)
}

func deadEmits(t *testing.T, open Opener) {
	var k taker
	s, shut := open(t, Options{Taker: &k})
	d := one2(t, s, &k)
	record(&store.Change{
		Delivery: d, State: store.Dead, Attempts: 1, Attempt: attempt(1, "permanent"), AttemptEnded: true,
		Emit: entry("dead", "page"),
	}, s)
	shut()
	if len(k.taken) != 2 || k.taken[1].Route != "page" || k.taken[1].Event.ID != "dead" {
		t.Errorf("taken %+v", k.taken)
	}
}

// one2 appends one event that the taker takes.
func one2(t *testing.T, s Store, k *taker) *store.Delivery {
	t.Helper()
	mustAppend(t, s, entry("a", "r"))
	return k.taken[0]
}

func settled(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	defer shut()
	d := one(t, s)
	record(&store.Change{Delivery: d, State: store.Succeeded, Attempts: 1, Attempt: attempt(1, "succeeded"), AttemptEnded: true}, s)
	record(&store.Change{Delivery: d, State: store.Pending, Due: time.Now(), Attempts: 1}, s)
	if got, _, _ := s.Delivery(ctx, d.Seq); got.State != store.Succeeded {
		t.Errorf("a late change moved it to %v", got.State)
	}
}

func operate(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	defer shut()
	d := one(t, s)
	if _, err := s.Retry(ctx, d.Seq); !errors.Is(err, store.ErrState) {
		t.Errorf("retry of one in memory: %v", err)
	}
	record(&store.Change{Delivery: d, State: store.Dead, Attempts: 1, Attempt: attempt(1, "permanent"), AttemptEnded: true}, s)
	if _, err := s.Retry(ctx, d.Seq); err != nil {
		t.Fatalf("retry: %v", err)
	}
	again := claim(t, s, store.Claim{Route: "r"}).Deliveries
	if len(again) != 1 || again[0].ID() != d.ID() || s.Stats().Open != 1 {
		t.Fatalf("after retry: %+v open %d", again, s.Stats().Open)
	}
	if _, err := s.Discard(ctx, d.Seq); err != nil || s.Stats().Open != 0 {
		t.Errorf("discard: %v open %d", err, s.Stats().Open)
	}
	if _, err := s.Discard(ctx, d.Seq); !errors.Is(err, store.ErrState) {
		t.Errorf("discard twice: %v", err)
	}
	if _, err := s.Discard(ctx, 42); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("discard of nothing: %v", err)
	}
}

func reopen(t *testing.T, open Opener) {
	var k taker
	s, shut := open(t, Options{Taker: &k})
	mustAppend(t, s, entry("a", "r"))
	mustAppend(t, s, entry("b", "r"))
	record(&store.Change{Delivery: k.taken[1], State: store.Running, RunID: "run-b", Claimed: true, Attempt: attempt(1, "")}, s)
	shut()
	s, shut = open(t, Options{})
	defer shut()
	if s.Stats().Open != 2 {
		t.Errorf("open %d after reopening, want 2", s.Stats().Open)
	}
	got := claim(t, s, store.Claim{Route: "r", InOrder: true}).Deliveries
	if !slices.Equal(ids(got), []string{"a", "b"}) || got[1].State != store.Running || got[1].RunID != "run-b" {
		t.Errorf("after reopening: %v", ids(got))
	}
	before := got[1].Seq
	mustAppend(t, s, entry("c", "r"))
	if next := claim(t, s, store.Claim{Route: "r"}).Deliveries[0]; next.Seq <= before {
		t.Errorf("ids went back: %d after %d", next.Seq, before)
	}
}

func retention(t *testing.T, open Opener) {
	s, shut := open(t, Options{Retain: store.Retain{Succeeded: time.Hour, Dead: 3 * time.Hour, Unrouted: time.Hour, Dedupe: 2 * time.Hour}})
	defer shut()
	now := time.Now()
	end := func(id string, state store.State) {
		mustAppend(t, s, entry(id, "r"))
		d := claim(t, s, store.Claim{Route: "r"}).Deliveries[0]
		a := attempt(1, "x")
		a.Ended = now
		record(&store.Change{Delivery: d, State: state, Attempts: 1, Attempt: a, AttemptEnded: true}, s)
	}
	end("good", store.Succeeded)
	end("bad", store.Dead)
	mustAppend(t, s, entry("unrouted"))
	mustAppend(t, s, keyed(entry("open", "r"), 1, 1))
	left := func(after time.Duration) (names []string) {
		t.Helper()
		if err := s.Retain(ctx, now.Add(after)); err != nil {
			t.Fatal(err)
		}
		if err := s.Retain(ctx, now.Add(after)); err != nil {
			t.Fatal(err)
		}
		all, _ := s.Events(ctx, store.EventFilter{Page: store.Page{Limit: 9}})
		for _, e := range all {
			names = append(names, e.Event.ID)
		}
		return names
	}
	if got := left(30 * time.Minute); len(got) != 4 {
		t.Errorf("too early: %v", got)
	}
	if got := left(90 * time.Minute); !slices.Equal(got, []string{"open", "bad"}) {
		t.Errorf("after 90m: %v", got)
	}
	if got := mustAppend(t, s, keyed(entry("open2", "r"), 1, 1)); !got.Duplicate {
		t.Error("key forgotten before its time")
	}
	if got := left(5 * time.Hour); !slices.Equal(got, []string{"open"}) {
		t.Errorf("after 5h: %v; what is open never leaves", got)
	}
}

// What a person discards while it runs stays discarded, and is counted once.
func discardWhileRunning(t *testing.T, open Opener) {
	s, shut := open(t, Options{})
	defer shut()
	d := one(t, s)
	if _, err := s.Discard(ctx, d.Seq); err != nil {
		t.Fatal(err)
	}
	record(&store.Change{Delivery: d, State: store.Succeeded, Attempts: 1, Attempt: attempt(1, "succeeded"), AttemptEnded: true}, s)
	if got, _, _ := s.Delivery(ctx, d.Seq); got.State != store.Discarded || s.Stats().Open != 0 {
		t.Errorf("state %v, open %d", got.State, s.Stats().Open)
	}
}
