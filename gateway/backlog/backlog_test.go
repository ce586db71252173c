package backlog

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/event-gateway/gateway/gateway/store"
)

type fake struct {
	list  []store.Backlog
	err   error
	took  time.Duration
	asked int
}

func (f *fake) Backlog(context.Context) ([]store.Backlog, error) {
	f.asked++
	time.Sleep(f.took)
	return f.list, f.err
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
		f.err = errors.New("no")
		time.Sleep(2500 * time.Millisecond)
		if f.asked != 3 || b.Pending("a") != 3 || logs.Len() != 2 {
			t.Errorf("asked %d times, %d pending, %d warnings", f.asked, b.Pending("a"), logs.Len())
		}
		f.err, f.took, f.asked = nil, time.Second, 0
		time.Sleep(20 * time.Second)
		if f.asked != 1 {
			t.Errorf("asked %d times in 20s, each of which takes 1s", f.asked)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
