package backlog

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/event-gateway/gateway/gateway/store"
)

type fake struct {
	mu    sync.Mutex
	list  []store.Backlog
	err   error
	took  time.Duration
	asked int
}

func (f *fake) Backlog(context.Context) ([]store.Backlog, error) {
	f.mu.Lock()
	f.asked++
	took, err := f.took, f.err
	f.mu.Unlock()
	time.Sleep(took)
	return f.list, err
}

func (f *fake) set(how func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how()
}

func (f *fake) often() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

// It is the sum over the engines that a route has had, asked for once a second
// unless that takes long; while the store can't tell, the last word counts.
func TestBacklog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		old := time.Now().Add(-time.Hour)
		core, logs := observer.New(zap.WarnLevel)
		f := &fake{list: []store.Backlog{{Route: "a", Engine: "x", Pending: 1, Oldest: old.Add(time.Minute)}, {Route: "a", Engine: "y", Pending: 2, Oldest: old}}}
		b := New(f, zap.New(core))
		if b.Pending("a") != 0 || !b.Oldest().IsZero() || len(b.Routes()) != 0 {
			t.Error("it knows before it has asked")
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Run(ctx) }()
		synctest.Wait()
		if b.Pending("a") != 3 || !b.Oldest().Equal(old) || !b.Routes()["a"].Oldest.Equal(old) {
			t.Errorf("%d pending, oldest %s", b.Pending("a"), b.Oldest())
		}
		f.set(func() { f.err = errors.New("no") })
		time.Sleep(2500 * time.Millisecond)
		if asked := f.often(); asked != 3 || b.Pending("a") != 3 || logs.Len() != 2 {
			t.Errorf("asked %d times, %d pending, %d warnings", asked, b.Pending("a"), logs.Len())
		}
		f.set(func() { f.err, f.took, f.asked = nil, time.Second, 0 })
		time.Sleep(20 * time.Second)
		if asked := f.often(); asked != 1 {
			t.Errorf("asked %d times in 20s, each of which takes 1s", asked)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
