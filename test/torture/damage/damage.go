// Package damage damages the files of a store that nobody has open: a bit is
// another one, or the end of a file is missing. What is read then is what was
// written, or an error. It stands beside the other trials of torture.
package damage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite"
	"github.com/event-gateway/gateway/test/torture/trial"
)

// events are in the store that is damaged; some have ended, some have not.
const events = 300

// late tells whether a row is of the last record: that of the last event, with
// what became of the one before.
func late(row []byte) bool {
	return bytes.Contains(row, fmt.Appendf(nil, "event-%d", events-1)) || bytes.Contains(row, fmt.Appendf(nil, "event-%d", events-2))
}

// Flip damages a store again and again, each time a fresh copy: nine bits for
// each end that is cut off. One store was closed in order, the other is what a
// SIGKILL left.
func Flip(b *trial.Bench) error {
	closed, killed := filepath.Join(b.Dir, "closed"), filepath.Join(b.Dir, "killed")
	if err := write(closed, killed); err != nil {
		return err
	}
	if beside, err := filepath.Glob(filepath.Join(killed, "events-*")); err != nil || len(beside) == 0 {
		return fmt.Errorf("no events beside the database to damage, %w", err)
	}
	outcomes := map[string]int{}
	for _, dir := range []string{closed, killed} {
		copied := filepath.Join(b.Dir, "copy")
		if err := clone(dir, copied); err != nil {
			return err
		}
		whole, err := read(copied)
		if err != nil || len(whole) < 2*events {
			return fmt.Errorf("%d rows before any damage, %w", len(whole), err)
		}
		b.Acked = events
		for range b.Times / 2 {
			if err := clone(dir, copied); err != nil {
				return err
			}
			what, err := harm(b, copied)
			if err != nil {
				return err
			}
			outcome := compare(copied, whole)
			if outcome != reported && outcome != harmless && outcome != unwritten {
				b.Problem("store %s, %s: %s, and nothing was said", filepath.Base(dir), what, outcome)
			}
			outcomes[outcome]++
			b.Tries(1)
		}
	}
	b.Lost = outcomes[missing]
	b.Extra = fmt.Sprint("outcomes: ", outcomes)
	return nil
}

// The outcomes of a damage.
const (
	reported = "reported"
	harmless = "harmless" // it was where nothing is
	// unwritten: the last record of a journal cannot be told from one that was
	// being written, which nobody was told of.
	unwritten = "the last record is as one that was not written"
	missing   = "something is missing"
	another   = "something is served that was not written"
)

// compare opens a damaged store and compares what it has with what it had.
func compare(dir string, whole map[string][]byte) (outcome string) {
	defer func() {
		if p := recover(); p != nil {
			outcome = fmt.Sprint("a panic: ", p)
		}
	}()
	got, err := read(dir)
	if err != nil {
		return reported
	}
	outcome = harmless
	for name, row := range whole {
		now, ok := got[name]
		switch {
		case bytes.Equal(now, row):
		case late(row):
			outcome = unwritten
		case !ok:
			return missing
		default:
			return another
		}
	}
	if len(got) > len(whole) {
		return another
	}
	return outcome
}

// read reads all events and deliveries, by their ids.
func read(dir string) (rows map[string][]byte, err error) {
	s, err := sqlite.Open(sqlite.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	list, err := s.Events(context.Background(), store.EventFilter{Page: store.Page{Limit: 1 << 20}})
	if err != nil {
		return nil, err
	}
	deliveries, err := s.Deliveries(context.Background(), store.DeliveryFilter{Page: store.Page{Limit: 1 << 20}})
	if err != nil {
		return nil, err
	}
	rows = map[string][]byte{}
	for _, e := range list {
		ev := e.Event
		rows[fmt.Sprint("event ", e.Seq)] = fmt.Append(nil, ev.ID, ev.Source, ev.Type, ev.Subject, ev.Time, ev.ContentType, ev.Headers,
			ev.Query, ev.Extensions, ev.Body, e.Revision, e.Deliveries, e.Conflict)
	}
	for _, d := range deliveries {
		rows[fmt.Sprint("delivery ", d.Seq)] = fmt.Appendf(nil, "%+v", *d)
	}
	return rows, nil
}

// harm damages one of the files that have something in them.
func harm(b *trial.Bench, dir string) (what string, err error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return "", err
	}
	sizes := map[string]int{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		if n := len(bytes.TrimRight(content, "\x00")); n > 0 && filepath.Ext(path) != ".db-shm" {
			sizes[path] = n
		}
	}
	names := slices.Sorted(maps.Keys(sizes))
	path := names[b.Rand.IntN(len(names))]
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	at := b.Rand.IntN(sizes[path])
	if b.Rand.IntN(10) == 0 {
		return fmt.Sprintf("%s cut at %d", filepath.Base(path), at), os.Truncate(path, int64(at))
	}
	content[at] ^= 1 << b.Rand.IntN(8)
	return fmt.Sprintf("%s with another bit at %d", filepath.Base(path), at), os.WriteFile(path, content, 0o600)
}

// clone copies a folder's files to a fresh one.
func clone(from, to string) error {
	err := os.RemoveAll(to)
	return errors.Join(err, os.CopyFS(to, os.DirFS(from)))
}

// write makes both stores.
func write(closed, killed string) error {
	s, err := sqlite.Open(sqlite.Options{Dir: closed})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	for n := range events {
		if err := add(ctx, s, n); err != nil {
			return err
		}
		if n == events/2 {
			time.Sleep(300 * time.Millisecond) // the first half is filled into SQLite
		}
	}
	if err := clone(closed, killed); err != nil {
		return err
	}
	stop()
	return errors.Join(<-done, s.Close())
}

func add(ctx context.Context, s *sqlite.Store, n int) error {
	rest := bytes.Repeat([]byte{byte('a' + n%26)}, 10+n*3)
	if n%3 > 0 { // cannot be compressed, and is kept elsewhere
		_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)}).Read(rest)
	}
	body := fmt.Appendf(nil, `{"n":%d,"rest":"%x"}`, n, rest)
	e := &store.Entry{
		Event: &event.Event{
			ID: fmt.Sprint("event-", n), Source: "/webhooks/in", Type: "a.b", Time: time.Now(), ContentType: "application/json",
			Headers: map[string]string{"X-N": fmt.Sprint(n)}, Body: body,
		},
		Digest: store.DigestOf(body), Revision: "r1",
		Deliveries: []*store.Delivery{{Route: "any", Engine: "main", Workflow: "w", Input: []byte(`{"a":1}`)}, {Route: "ordered", Engine: "main", Workflow: "w", Key: "k"}},
	}
	if _, err := s.Append(ctx, e); err != nil {
		return err
	}
	now := time.Now()
	s.Record(&store.Change{Delivery: e.Deliveries[0], State: store.Succeeded, Attempts: 1, FirstAttemptAt: now, AttemptEnded: true,
		Attempt: store.Attempt{Number: 1, Started: now, Ended: now, Outcome: "succeeded", Output: []byte(`{"out":true}`), Process: "main/1"}})
	return nil
}
