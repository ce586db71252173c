package intake

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/expr"
	"github.com/event-gateway/gateway/gateway/route"
	"github.com/event-gateway/gateway/gateway/store"
)

// ledger keeps what was appended and answers what it is told to.
type ledger struct {
	entries []*store.Entry
	receipt store.Receipt
	err     error
}

func (l *ledger) Append(_ context.Context, e *store.Entry) (store.Receipt, error) {
	l.entries = append(l.entries, e)
	l.receipt.Deliveries = len(e.Deliveries)
	return l.receipt, l.err
}

func (l *ledger) AppendAll(ctx context.Context, es []*store.Entry) (receipts []store.Receipt, err error) {
	for _, e := range es {
		receipt, _ := l.Append(ctx, e)
		receipts = append(receipts, receipt)
	}
	return receipts, l.err
}

// setup is an intake with two routes for push and one whose condition fails.
func setup(t *testing.T) (*Intake, *ledger, map[string]int, *observer.ObservedLogs) {
	t.Helper()
	table, mistakes := route.Compile([]route.Spec{
		{Name: "a", Events: []string{"push"}, Engine: "e", Workflow: "build", Key: "event.data.ref", With: map[string]any{"ref": "${{ event.data.ref }}"}},
		{Name: "b", Events: []string{"push"}, Engine: "f", Workflow: "tell"},
		{Name: "broken", Events: []string{"push", "only.broken"}, When: "event.data.missing.more == 1"},
	}, expr.New(), &route.Counters{})
	if mistakes != nil {
		t.Fatal(mistakes)
	}
	l, pending := &ledger{}, map[string]int{}
	core, logs := observer.New(zap.DebugLevel)
	rules := &Rules{Table: table, Revision: "r1", MaxPending: map[string]int{"b": 2}}
	return New(l, func() *Rules { return rules }, func(r string) int { return pending[r] }, zap.New(core)), l, pending, logs
}

func push() *event.Event {
	return &event.Event{ID: "1", Source: "/api", Type: "push", Body: []byte(`{"ref":"main"}`)}
}

var ctx = context.Background()

// TestTimeIsAsTheStoreHasIt: what is in memory is the event that a restart finds.
func TestTimeIsAsTheStoreHasIt(t *testing.T) {
	in, l, _, _ := setup(t)
	ev := push()
	ev.Time = time.Date(2026, 11, 27, 8, 0, 0, 123456789, time.FixedZone("", 3600))
	if _, err := in.Accept(ctx, ev, nil, store.Digest{}); err != nil {
		t.Fatal(err)
	}
	if got := l.entries[0].Event.Time.Format(time.RFC3339Nano); got != "2026-11-27T07:00:00.123456Z" {
		t.Errorf("accepted at %s", got)
	}
}

func TestAccept(t *testing.T) {
	in, l, _, logs := setup(t)
	keys := []store.Key{store.KeyOf("x")}
	receipt, err := in.Accept(ctx, push(), keys, store.DigestOf(nil))
	if err != nil || receipt.Deliveries != 2 {
		t.Fatalf("%+v, %v", receipt, err)
	}
	e := l.entries[0]
	if e.Revision != "r1" || e.Keys[0] != keys[0] || e.Digest != store.DigestOf(nil) || e.Slot != nil {
		t.Errorf("entry %+v", e)
	}
	a, b := e.Deliveries[0], e.Deliveries[1]
	if a.Route != "a" || a.Engine != "e" || a.Workflow != "build" || a.Key != "main" || string(a.Input) != `{"ref":"main"}` {
		t.Errorf("first delivery %+v", a)
	}
	if b.Route != "b" || b.Engine != "f" || b.Key != "" || b.Input != nil {
		t.Errorf("second delivery %+v", b)
	}
	misses := logs.FilterField(zap.String("route", "broken")).FilterField(zap.String("event", "1"))
	if misses.Len() != 1 || logs.Len() != 1 {
		t.Errorf("log %+v, want the route that could not tell", logs.All())
	}
}

func TestCounts(t *testing.T) {
	in, l, _, _ := setup(t)
	unrouted := &event.Event{ID: "2", Type: "nobody"}
	accept := func(ev *event.Event, r store.Receipt, err error) {
		t.Helper()
		l.receipt, l.err = r, err
		if _, got := in.Accept(ctx, ev, nil, store.Digest{}); got != err {
			t.Errorf("error %v, want %v", got, err)
		}
	}
	accept(push(), store.Receipt{}, nil)
	accept(unrouted, store.Receipt{}, nil)
	for range 2 {
		accept(push(), store.Receipt{Duplicate: true}, nil)
	}
	for range 3 {
		accept(push(), store.Receipt{}, store.ErrConflict)
	}
	for range 4 {
		accept(push(), store.Receipt{}, store.ErrFull)
	}
	c := in.Counts()
	got := [...]uint64{c.Accepted.Load(), c.Unrouted.Load(), c.Duplicates.Load(), c.Conflicts.Load(), c.Refused.Load()}
	if want := [...]uint64{2, 1, 2, 3, 4}; got != want {
		t.Errorf("accepted, unrouted, duplicates, conflicts, refused: %v, want %v", got, want)
	}
}

func TestMaxPending(t *testing.T) {
	in, l, pending, _ := setup(t)
	pending["a"], pending["b"] = 1_000_000, 1
	if _, err := in.Accept(ctx, push(), nil, store.Digest{}); err != nil {
		t.Errorf("below the bound: %v", err)
	}
	pending["b"] = 2
	if _, err := in.Accept(ctx, push(), nil, store.Digest{}); !errors.Is(err, store.ErrBacklog) {
		t.Errorf("at the bound: %v", err)
	}
	if _, err := in.Fire(ctx, push(), &store.Slot{}); !errors.Is(err, store.ErrBacklog) {
		t.Errorf("a schedule at the bound: %v", err)
	}
	if len(l.entries) != 1 || in.Counts().Refused.Load() != 2 {
		t.Errorf("%d stored, %d refused", len(l.entries), in.Counts().Refused.Load())
	}
	if e := in.Route(push()); len(e.Deliveries) != 2 || e.Revision != "r1" {
		t.Errorf("the gateway's own events are never refused: %+v", e)
	}
	if _, err := in.Accept(ctx, &event.Event{ID: "3", Type: "other"}, nil, store.Digest{}); err != nil {
		t.Errorf("what does not go there: %v", err)
	}
}

// However often and with whatever data a slot is fired, it is the same event.
func TestFire(t *testing.T) {
	in, l, _, _ := setup(t)
	slot := store.Slot{Schedule: "s", Spec: "x", At: time.Unix(1_800_000_000, 0)}
	for _, body := range []string{"1", "2"} {
		if _, err := in.Fire(ctx, &event.Event{ID: "s@1", Source: "/schedules/s", Type: "schedule.s", Body: []byte(body)}, &slot); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := l.entries[0], l.entries[1]; *a.Slot != slot || *b.Slot != slot || a.Digest != b.Digest || a.Keys != nil || b.Keys != nil {
		t.Errorf("entries %+v %+v", a, b)
	}
	l.receipt.Duplicate = true
	if _, err := in.Fire(ctx, &event.Event{ID: "s@1", Source: "/schedules/s"}, &slot); err != nil {
		t.Errorf("fired by another: %v", err)
	}
	l.err = store.ErrFailed
	if _, err := in.Fire(ctx, push(), &slot); err != store.ErrFailed {
		t.Errorf("error %v", err)
	}
}

func TestAcceptAll(t *testing.T) {
	in, l, pending, _ := setup(t)
	other := push()
	other.Type = "nobody.asks"
	entries := func() []*store.Entry {
		return []*store.Entry{{Event: push(), Keys: []store.Key{{1}}, Digest: store.Digest{2}}, {Event: other}}
	}
	receipts, err := in.AcceptAll(ctx, entries())
	if err != nil || len(receipts) != 2 || receipts[0].Deliveries != 2 || receipts[1].Deliveries != 0 {
		t.Fatalf("%+v %v", receipts, err)
	}
	if e := l.entries[0]; e.Revision != "r1" || len(e.Keys) != 1 || e.Digest != (store.Digest{2}) || len(e.Deliveries) != 2 {
		t.Errorf("stored %+v", e)
	}
	l.err = store.ErrConflict
	if receipts, err := in.AcceptAll(ctx, entries()); !errors.Is(err, store.ErrConflict) || receipts != nil {
		t.Errorf("a conflict: %v %v", receipts, err)
	}
	// One event that a route has no room for keeps all of them out.
	stored := len(l.entries)
	pending["b"] = 2
	if _, err := in.AcceptAll(ctx, []*store.Entry{{Event: other}, {Event: push()}}); !errors.Is(err, store.ErrBacklog) || len(l.entries) != stored {
		t.Errorf("a full route: %v, %d stored", err, len(l.entries)-stored)
	}
	if c := in.Counts(); c.Accepted.Load() != 2 || c.Unrouted.Load() != 1 || c.Conflicts.Load() != 1 || c.Refused.Load() != 1 {
		t.Errorf("counted %d %d %d %d", c.Accepted.Load(), c.Unrouted.Load(), c.Conflicts.Load(), c.Refused.Load())
	}
}

// A replay goes to the routes that may take it, and is stored only if one does.
func TestReplay(t *testing.T) {
	in, l, pending, _ := setup(t)
	only := func(name string) func(string) bool { return func(r string) bool { return r == name } }
	e, receipt, err := in.Replay(ctx, push(), only("a"))
	if err != nil || receipt.Deliveries != 1 || len(e.Deliveries) != 1 || e.Deliveries[0].Route != "a" || e.Digest != store.DigestOf(push().Body) || e.Revision != "r1" {
		t.Errorf("%+v %+v %v", e, receipt, err)
	}
	if e, _, err := in.Replay(ctx, push(), only("nobody")); e != nil || err != nil || len(l.entries) != 1 {
		t.Errorf("to no route: %+v %v, %d stored", e, err, len(l.entries))
	}
	pending["b"] = 2
	if _, _, err := in.Replay(ctx, push(), only("b")); !errors.Is(err, store.ErrBacklog) || len(l.entries) != 1 {
		t.Errorf("to a full route: %v", err)
	}
	if _, _, err := in.Replay(ctx, push(), only("a")); err != nil || len(l.entries) != 2 {
		t.Errorf("beside a full route: %v", err)
	}
}

// What has gathered becomes one event, and the route's input is about all of it.
func TestMerge(t *testing.T) {
	table, mistakes := route.Compile([]route.Spec{{
		Name: "r", Events: []string{"push"}, Gather: true, Engine: "e", Workflow: "build", Key: "event.data.ref",
		With: map[string]any{"n": "${{ event.data.events.map(e, e.data.n) }}", "id": "${{ event.id }}"},
	}}, expr.New(), &route.Counters{})
	if mistakes != nil {
		t.Fatal(mistakes)
	}
	l, rules := &ledger{}, &Rules{Table: table, Revision: "r1"}
	in := New(l, func() *Rules { return rules }, func(string) int { return 0 }, zap.NewNop())
	var members []*store.Delivery
	for i, id := range []string{"a", "b"} {
		ev := &event.Event{ID: id, Source: "/api", Type: "push", Body: []byte(`{"ref":"main","n":"` + id + `"}`)}
		if _, err := in.Accept(ctx, ev, nil, store.Digest{}); err != nil {
			t.Fatal(err)
		}
		d := l.entries[i].Deliveries[0]
		d.Seq, d.Event = int64(100+i), ev
		if want := `{"id":"` + id + `","n":["` + id + `"]}`; !d.Gather || string(d.Input) != want || d.Key != "main" {
			t.Errorf("accepted %+v, want input %s", d, want)
		}
		members = append(members, d)
	}
	e, err := in.Merge(members)
	if err != nil {
		t.Fatal(err)
	}
	d, id := e.Deliveries[0], store.GroupID(100)
	if want := `{"id":"` + id + `","n":["a","b"]}`; string(d.Input) != want || d.Gather || d.Key != "main" || d.Workflow != "build" || d.Route != "r" {
		t.Errorf("merged %+v, want input %s", d, want)
	}
	if e.Event.ID != id || !store.IsGroup(id) || store.IsGroup("~group-x") || e.Revision != "r1" || e.Event.Type != "push" {
		t.Errorf("entry %+v", e)
	}

	// Without a debounce each is alone, and as it was accepted.
	rules.Table, _ = route.Compile([]route.Spec{{Name: "r", Events: []string{"push"}, Engine: "other", Workflow: "w"}}, expr.New(), &route.Counters{})
	if e, err := in.Merge(members); err == nil {
		t.Errorf("two of a route that does not gather any more: %+v", e)
	}
	e, err = in.Merge(members[:1])
	if err != nil || string(e.Deliveries[0].Input) != `{"id":"a","n":["a"]}` || e.Deliveries[0].Workflow != "build" {
		t.Errorf("one of it: %+v %v", e.Deliveries[0], err)
	}
	// An input that fails fails for the caller to see.
	rules.Table, _ = route.Compile([]route.Spec{{Name: "r", Events: []string{"push"}, Gather: true, Engine: "e", Workflow: "w", With: map[string]any{"x": "${{ event.data.none }}"}}}, expr.New(), &route.Counters{})
	if _, err := in.Merge(members); err == nil || !strings.Contains(err.Error(), "with") {
		t.Errorf("no input: %v", err)
	}
}
