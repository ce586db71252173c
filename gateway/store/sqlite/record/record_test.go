package record

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
)

var at = time.Date(2026, 11, 23, 1, 2, 3, 456000, time.UTC)

func entry() *store.Entry {
	return &store.Entry{
		Event: &event.Event{
			ID: "id", Source: "/webhooks/a", Type: "a.b", Subject: "s", Time: at, ContentType: "application/json",
			Headers: map[string]string{"x-a": "1", "x-b": ""}, Query: map[string]string{"q": "ü"},
			Extensions: map[string]string{"traceparent": "00"}, Body: []byte("\x00\xff{"),
		},
		Revision: "r1", Digest: store.Digest{1, 2, 3},
		Deliveries: []*store.Delivery{
			{Route: "one", Engine: "e", Workflow: "w", Key: "k", Input: []byte{}},
			{Route: "two", Engine: "e", Workflow: "w", State: store.Waiting, Due: at.Add(time.Hour)},
		},
	}
}

func change() *store.Change {
	return &store.Change{
		Delivery: &store.Delivery{Seq: 1 << 60}, State: store.Pending, Due: at, RunID: "run", Attempts: 3, Throttled: 1, FirstAttemptAt: at,
		Attempt: store.Attempt{
			Number: 3, Started: at, Ended: at.Add(time.Second), Outcome: "retryable", Message: "m", Output: []byte(`{"a":1}`), Process: "e/7",
		},
		AttemptEnded: true, Start: &store.Start{Route: "one", At: at, Window: time.Minute},
	}
}

func page() []byte {
	keys := []byte("0123456789abcdef")
	body := Entry(nil, entry(), keys)
	b := AppendEvent(nil, 100, at, false, body)
	b = AppendEvent(b, 200, at, true, body)
	b = AppendSlot(b, &store.Slot{Schedule: "n", Spec: "every 5s", At: at})
	b = AppendChange(b, change())
	return AppendChange(b, &store.Change{Delivery: &store.Delivery{Seq: 7}, State: store.Succeeded})
}

func TestRoundTrip(t *testing.T) {
	got, err := Read(page())
	if err != nil {
		t.Fatal(err)
	}
	e := entry()
	one, two := *e.Deliveries[0], *e.Deliveries[1]
	for i, d := range []*store.Delivery{&one, &two} {
		d.Seq, d.EventSeq, d.EventID, d.Event = int64(101+i), 100, "id", e.Event
	}
	one.Due = at
	want := &Page{
		Events: []Event{
			{
				StoredEvent: store.StoredEvent{Seq: 100, Event: e.Event, Revision: "r1", Deliveries: 2},
				Digest:      e.Digest, Keys: []byte("0123456789abcdef"),
			},
			{StoredEvent: store.StoredEvent{Seq: 200, Event: e.Event, Revision: "r1", Conflict: true}, Digest: e.Digest},
		},
		Deliveries: []store.Delivery{one, two},
		Slots:      []store.Slot{{Schedule: "n", Spec: "every 5s", At: at}},
		Changes:    []store.Change{*change(), {Delivery: &store.Delivery{Seq: 7}, State: store.Succeeded}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(event.Event{})); diff != "" {
		t.Errorf("(-put +got):\n%s", diff)
	}
	if e := got.Event(200); e == nil || e.Seq != 200 || got.Event(101) != nil || got.Event(99) != nil {
		t.Errorf("event 200 is %+v", e)
	}
}

// A page cut anywhere is refused, but between its items.
func TestCut(t *testing.T) {
	whole := page()
	refused := 0
	for n := range whole {
		if _, err := Read(whole[:n:n]); err != nil {
			refused++
		}
	}
	if want := len(whole) - 6; refused != want {
		t.Errorf("%d of %d cuts refused, want %d", refused, len(whole), want)
	}
}

func stored() *Event {
	return &Event{
		StoredEvent: store.StoredEvent{Seq: 1 << 60, Event: entry().Event, Revision: "r1", Deliveries: 2, Conflict: true},
		Digest:      store.Digest{1, 2, 3}, Keys: []byte("0123456789abcdef"),
	}
}

func TestStored(t *testing.T) {
	for _, want := range []*Event{stored(), {StoredEvent: store.StoredEvent{Event: &event.Event{Body: []byte{}}}, Keys: []byte{}}} {
		b := Stored(nil, want)
		got, err := ReadStored(b)
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(event.Event{})); diff != "" || err != nil {
			t.Errorf("%v (-put +got):\n%s", err, diff)
		}
		seq, digest, keys, err := ReadKeys(b)
		if seq != want.Seq || digest != want.Digest || !bytes.Equal(keys, want.Keys) || err != nil {
			t.Errorf("keys: %d %v %q %v", seq, digest, keys, err)
		}
	}
}

// What is cut before the body is refused.
func TestStoredCut(t *testing.T) {
	whole := Stored(nil, stored())
	for n := range len(whole) - len(stored().Event.Body) {
		if e, err := ReadStored(whole[:n:n]); err == nil {
			t.Errorf("%d of %d bytes are %+v", n, len(whole), e)
		}
	}
}

func succeeded() *store.Delivery {
	d := &store.Delivery{
		Seq: 1<<60 + 2, EventSeq: 1 << 60, Route: "one", Engine: "e", Workflow: "w", Key: "k", Input: []byte{}, State: store.Succeeded, Attempt: 1,
		Due: at, FirstAttemptAt: at.Add(time.Second), RunID: "r",
	}
	d.Last = store.Attempt{
		Number: 1, Started: d.FirstAttemptAt, Ended: at.Add(-time.Hour), Outcome: "succeeded", Message: "m", Process: "e/7", Output: []byte("{}"),
	}
	return d
}

// A delivery is what it was, also one whose clock went back or that has no times.
func TestSucceeded(t *testing.T) {
	none := &store.Delivery{State: store.Succeeded, Attempt: 1, Last: store.Attempt{Number: 1, Outcome: "succeeded"}}
	for _, want := range []*store.Delivery{succeeded(), none} {
		whole := Succeeded(nil, want)
		got, err := ReadSucceeded(whole)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		for n := range len(whole) {
			if d, err := ReadSucceeded(whole[:n:n]); err == nil {
				t.Errorf("%d of %d bytes are %+v", n, len(whole), d)
			}
		}
	}
}

// Whatever is read, it is what is written of it, and both ways to read it see the same.
func FuzzSucceeded(f *testing.F) {
	f.Add(Succeeded(nil, succeeded()))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ReadSucceeded(b)
		if err != nil {
			return
		}
		route, engine, err := ReadParty(b)
		if err != nil || string(route) != d.Route || string(engine) != d.Engine {
			t.Errorf("%q %q, %v of %+v", route, engine, err, d)
		}
		again, err := ReadSucceeded(Succeeded(nil, d))
		if diff := cmp.Diff(d, again); diff != "" || err != nil {
			t.Errorf("%v (-read +again):\n%s", err, diff)
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add(page())
	f.Add([]byte{kindEvent, 1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		p, err := Read(b)
		if !bytes.Equal(before, b) {
			t.Error("the input was changed")
		}
		if err == nil && len(b) > 0 && p.Empty() {
			t.Error("nothing read, no error")
		}
	})
}

// Whatever is read, each way to read it sees the same.
func FuzzStored(f *testing.F) {
	f.Add(Stored(nil, stored()))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ReadStored(b)
		if err != nil {
			return
		}
		g, err := ReadGlance(b)
		if err != nil || g.Deliveries != e.Deliveries || string(g.Source) != e.Event.Source || string(g.Type) != e.Event.Type {
			t.Errorf("%+v, %v of %+v", g, err, e)
		}
		seq, digest, keys, err := ReadKeys(b)
		if err != nil || seq != e.Seq || digest != e.Digest || !bytes.Equal(keys, e.Keys) {
			t.Errorf("%d %x %x, %v of %+v", seq, digest, keys, err, e)
		}
		again, err := ReadStored(Stored(nil, e))
		if diff := cmp.Diff(e, again, cmpopts.IgnoreUnexported(event.Event{}), cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("%v (-read +again):\n%s", err, diff)
		}
	})
}
