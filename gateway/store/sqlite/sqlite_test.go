package sqlite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/storetest"
)

// start opens a store and runs it until the function returned is called.
func start(tb testing.TB, o Options) (*Store, func()) {
	tb.Helper()
	s, err := Open(o)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return s, func() {
		cancel()
		<-done
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	}
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Opener {
		dir := t.TempDir()
		return func(t *testing.T, o storetest.Options) (storetest.Store, func()) {
			return start(t, Options{Dir: dir, Taker: o.Taker, MaxPending: o.MaxPending, Retain: o.Retain})
		}
	})
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	_, shut := start(t, Options{Dir: dir})
	defer shut()
	if _, err := Open(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "in use by another gateway") {
		t.Errorf("second open: %v", err)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	dir := t.TempDir()
	s, shut := start(t, Options{Dir: dir})
	if err := s.do(context.Background(), func(c *conn.Conn) error { return c.Script("PRAGMA user_version=999") }); err != nil {
		t.Fatal(err)
	}
	shut()
	if _, err := Open(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "newer than this gateway") {
		t.Errorf("open: %v", err)
	}
}

func TestNearlyFullRefuses(t *testing.T) {
	s, shut := start(t, Options{Dir: t.TempDir(), MinFree: 1 << 62})
	defer shut()
	_, err := s.Append(context.Background(), benchEntry(0, nil))
	if err == nil || !strings.Contains(err.Error(), "nearly full") || s.Stats().Refusing == "" {
		t.Errorf("append: %v, refusing %q", err, s.Stats().Refusing)
	}
	s.opts.MinFree = 0
	s.checkDisk()
	if _, err := s.Append(context.Background(), benchEntry(0, nil)); err != nil {
		t.Errorf("after space came back: %v", err)
	}
}

func TestFilesArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	_, shut := start(t, Options{Dir: dir})
	defer shut()
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("store folder %v %v", info.Mode(), err)
	}
}

// Nobody who waits for a commit waits for a clock: on that of a bubble, which
// stands still while anybody can run, however many send at once no time passes.
func TestCommitsWaitForNobody(t *testing.T) {
	for _, senders := range []int64{1, 16, 100} {
		synctest.Test(t, func(t *testing.T) {
			s, shut := start(t, Options{Dir: t.TempDir()})
			defer shut()
			began := time.Now()
			var all sync.WaitGroup
			for sender := range senders {
				all.Go(func() {
					for i := range int64(20) {
						// As Append does it, whose channels are of no bubble.
						p := &pendingEntry{Entry: benchEntry(sender*100+i, nil), done: make(chan struct{}, 1)}
						p.prepare()
						if !s.enqueue(op{entry: p}) {
							t.Error("refused")
							return
						}
						if <-p.done; p.err != nil {
							t.Error(p.err)
						}
					}
				})
			}
			all.Wait()
			if waited := time.Since(began); waited > 0 {
				t.Errorf("%d senders waited %v", senders, waited)
			}
		})
	}
}

func benchEntry(i int64, body []byte) *store.Entry {
	return &store.Entry{
		Event: &event.Event{
			ID: fmt.Sprintf("6ba7b810-9dad-11d1-80b4-%012x", i*2654435761%(1<<48)), Source: "/webhooks/bench", Type: "github.push",
			Time: time.Now(), ContentType: "application/json", Body: body, Headers: map[string]string{"x-github-event": "push"},
		},
		Keys: []store.Key{key(i, 2)}, Digest: store.Digest(key(i, 2)),
		Revision: "0123456789ab", Deliveries: []*store.Delivery{{Route: "bench", Engine: "bench", Workflow: "noop"}},
	}
}

func key(i int64, kind byte) (k store.Key) {
	x := uint64(i)*0x9E3779B97F4A7C15 + uint64(kind)
	for j := range k {
		x ^= x >> 29
		x *= 0xBF58476D1CE4E5B9
		k[j] = byte(x >> 56)
	}
	return k
}

// settler ends every delivery at once, as an engine that does nothing would.
type settler struct {
	s    *Store
	left sync.WaitGroup
}

func (k *settler) Room(*store.Delivery) bool { return true }

func (k *settler) Take(ds []*store.Delivery) {
	ds = slices.Clone(ds)
	go func() {
		for _, d := range ds {
			now := time.Now()
			k.s.Record(&store.Change{
				Delivery: d, State: store.Succeeded, Attempts: 1, AttemptEnded: true, FirstAttemptAt: now,
				Attempt:   store.Attempt{Number: 1, Started: now, Ended: now, Outcome: "succeeded", Process: "bench/1"},
				Committed: k.left.Done,
			})
		}
	}()
}

func BenchmarkAppend(b *testing.B) { benchmark(b, nil) }

func BenchmarkCycle(b *testing.B) { benchmark(b, &settler{}) }

// benchmark appends from 64 goroutines, each waiting for its own commit.
func benchmark(b *testing.B, k *settler) {
	o := Options{Dir: b.TempDir()}
	if k != nil {
		o.Taker = k
	}
	s, shut := start(b, o)
	defer shut()
	if k != nil {
		k.s = s
		k.left.Add(b.N)
	}
	body := []byte(strings.Repeat("x", 1024))
	var next atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for {
				i := next.Add(1)
				if i > int64(b.N) {
					return
				}
				if _, err := s.Append(context.Background(), benchEntry(i, body)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if k != nil {
		k.left.Wait()
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
