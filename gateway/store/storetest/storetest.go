// Package storetest is the conformance suite of the store: every
// implementation passes it, so that nothing above can tell which one it has.
package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
)

// Store is the whole contract, as its users need it between them.
type Store interface {
	Append(ctx context.Context, e *store.Entry) (store.Receipt, error)
	AppendAll(ctx context.Context, es []*store.Entry) ([]store.Receipt, error)
	Record(c *store.Change)
	Claim(c store.Claim, then func(store.Claimed, error))

	Events(ctx context.Context, f store.EventFilter) ([]store.StoredEvent, error)
	EventByID(ctx context.Context, id string) (*store.StoredEvent, []*store.Delivery, error)
	Deliveries(ctx context.Context, f store.DeliveryFilter) ([]*store.Delivery, error)
	Delivery(ctx context.Context, seq int64) (*store.Delivery, []store.Attempt, error)
	Backlog(ctx context.Context) ([]store.Backlog, error)

	Retry(ctx context.Context, seq int64) (*store.Delivery, error)
	Again(ctx context.Context, seq int64, before time.Time) (*store.Delivery, error)
	Discard(ctx context.Context, seq int64) (*store.Delivery, error)
	Retain(ctx context.Context, now time.Time) error
	Starts(ctx context.Context) ([]store.Start, error)
	Gathering(ctx context.Context) ([]string, error)

	Positions(ctx context.Context) ([]store.Position, error)
	KeepPosition(ctx context.Context, p store.Position) error
	ForgetPosition(ctx context.Context, name string) error
	AddRevision(ctx context.Context, r store.Revision) error
	Revisions(ctx context.Context, p store.Page) ([]store.Revision, error)
	Revision(ctx context.Context, hash string) (store.Revision, error)

	Overlay(ctx context.Context) ([]store.OverlayEntry, error)
	PutOverlay(ctx context.Context, e store.OverlayEntry) error
	DropOverlay(ctx context.Context, name string) error

	Durability() store.Durability
	Stats() store.Stats
}

// Options of the store that Open is asked for.
type Options struct {
	Taker      store.Taker
	MaxPending int64
	Retain     store.Retain
}

// Opener opens the store, running, and closes it with the function returned.
// Within one test it always opens the same data.
type Opener func(t *testing.T, o Options) (s Store, shut func())

// Run runs the suite. fresh makes an Opener over an empty store.
func Run(t *testing.T, fresh func(t *testing.T) Opener) {
	for name, test := range map[string]func(*testing.T, Opener){
		"append and read":        appendAndRead,
		"duplicate":              duplicate,
		"all or nothing":         allOrNothing,
		"conflict":               conflict,
		"duplicates at once":     duplicatesAtOnce,
		"identity":               identity,
		"taken in commit order":  takenInOrder,
		"no room means claim":    noRoom,
		"claim":                  claims,
		"claim by key":           claimByKey,
		"claim in order":         claimInOrder,
		"claim bounded by bytes": claimBytes,
		"outcome":                outcome,
		"retry keeps history":    retryHistory,
		"attempt under way":      attemptUnderWay,
		"dead emits":             deadEmits,
		"settled stays settled":  settled,
		"retry and discard":      operate,
		"again":                  again,
		"ended at once":          endedAtOnce,
		"oldest first":           oldestFirst,
		"replays":                replays,
		"discard while running":  discardWhileRunning,
		"reopen unclaims":        reopen,
		"backlog bound":          backlogBound,
		"retention":              retention,
		"gathering":              gathering,
		"merged leaves":          mergedLeaves,
		"slot":                   slot,
		"starts":                 starts,
		"revisions":              revisions,
		"revisions end":          revisionsEnd,
		"overlay":                overlay,
		"overlay schedule":       overlaySchedule,
		"lists page":             lists,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

var ctx = context.Background()

// entry makes an event with one delivery for each route named.
func entry(id string, routes ...string) *store.Entry {
	e := &store.Entry{
		Event: &event.Event{
			ID: id, Source: "/webhooks/test", Type: "test." + id, Time: time.Now().UTC().Truncate(time.Microsecond),
			ContentType: "application/json", Body: []byte(`{"id":"` + id + `"}`),
			Headers: map[string]string{"x-test": id}, Query: map[string]string{"q": "1"},
			Extensions: map[string]string{"traceparent": "00-" + id},
		},
		Revision: "r1",
	}
	for _, r := range routes {
		e.Deliveries = append(e.Deliveries, &store.Delivery{Route: r, Engine: "exec", Workflow: "w", Input: []byte(`{"a":1}`)})
	}
	return e
}

// keyed gives an entry a dedupe key and a body digest.
func keyed(e *store.Entry, key, digest byte) *store.Entry {
	e.Keys, e.Digest = []store.Key{{key}}, store.Digest{digest}
	return e
}

func mustAppend(t *testing.T, s Store, e *store.Entry) store.Receipt {
	t.Helper()
	r, err := s.Append(ctx, e)
	if err != nil {
		t.Fatalf("append %s: %v", e.Event.ID, err)
	}
	return r
}

// claim claims and waits.
func claim(t *testing.T, s Store, c store.Claim) store.Claimed {
	t.Helper()
	if c.Now.IsZero() {
		c.Now = time.Now()
	}
	if c.Limit == 0 {
		c.Limit = 100
	}
	type answer struct {
		got store.Claimed
		err error
	}
	done := make(chan answer, 1)
	s.Claim(c, func(got store.Claimed, err error) { done <- answer{got, err} })
	a := <-done
	if a.err != nil {
		t.Fatalf("claim: %v", a.err)
	}
	return a.got
}

// record records and waits until it is on disk.
func record(c *store.Change, s Store) {
	done := make(chan struct{})
	c.Committed = func() { close(done) }
	s.Record(c)
	<-done
}

// taker collects what it is given.
type taker struct {
	room  func(*store.Delivery) bool
	taken []*store.Delivery
}

func (k *taker) Room(d *store.Delivery) bool { return k.room == nil || k.room(d) }
func (k *taker) Take(ds []*store.Delivery)   { k.taken = append(k.taken, ds...) }

func ids(ds []*store.Delivery) (out []string) {
	for _, d := range ds {
		out = append(out, d.EventID)
	}
	return out
}
