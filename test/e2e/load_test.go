package e2e

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// load is many senders at once. Each sends its events one after another, and
// one event until it is accepted, as providers do. It knows what was promised.
type load struct {
	s    *site
	hook string
	// rest is what a sender waits between two events.
	rest time.Duration
	// only 202 will do: no other answer, and no connection that breaks.
	strict bool

	client *http.Client
	cancel context.CancelFunc
	ended  sync.WaitGroup

	mu     sync.Mutex
	acked  map[string]time.Time // event ids, and when they were first sent
	sent   int                  // requests
	failed int                  // requests without an answer
	odd    map[string]int       // answers other than 202
}

// startLoad begins to send; stop ends it.
func startLoad(s *site, hook string, senders int, rest time.Duration, strict bool) *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{s: s, hook: hook, rest: rest, strict: strict, client: newClient(), cancel: cancel,
		acked: map[string]time.Time{}, odd: map[string]int{}}
	for i := range senders {
		l.ended.Go(func() { l.sender(ctx, fmt.Sprintf("%s-%d", hook, i)) })
	}
	s.t.Cleanup(func() { cancel(); l.ended.Wait() })
	return l
}

func (l *load) sender(ctx context.Context, name string) {
	for n := 1; ctx.Err() == nil; n++ {
		body := fmt.Appendf(nil, `{"sender":%q,"n":%d}`, name, n)
		l.event(ctx, fmt.Sprintf("%s-%d", name, n), body)
		sleep(ctx, l.rest)
	}
}

// event sends one event until it is accepted.
func (l *load) event(ctx context.Context, id string, body []byte) {
	first := time.Now()
	for ctx.Err() == nil {
		// A request under way when the load stops gets its answer.
		a, err := send(context.WithoutCancel(ctx), l.client, l.s.current().public+"/webhooks/"+l.hook, id, body)
		if l.note(id, first, a, err) {
			return
		}
		sleep(ctx, 2*time.Millisecond)
	}
}

func (l *load) note(id string, first time.Time, a answer, err error) (accepted bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	switch {
	case err != nil:
		l.failed++
		if l.strict {
			l.odd[err.Error()]++
		}
	case a.Code != http.StatusAccepted:
		l.odd[fmt.Sprintf("%d %s", a.Code, a.Detail)]++
	default:
		if a.EventID != id {
			l.odd["accepted as another event"]++
		}
		l.acked[a.EventID] = first
		return true
	}
	return false
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// count is how many events were accepted until now.
func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// sentAfter tells whether an event was accepted that was sent after a moment.
func (l *load) sentAfter(id string, unixNano int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.acked[id]
	return ok && at.UnixNano() > unixNano
}

// stop waits for the answers under way, and complains about odd ones.
func (l *load) stop(t *testing.T) map[string]time.Time {
	t.Helper()
	l.cancel()
	l.ended.Wait()
	l.client.CloseIdleConnections()
	for what, n := range l.odd {
		t.Errorf("%d requests were answered: %s", n, what)
	}
	if len(l.acked) == 0 {
		t.Fatal("no event was accepted: nothing was tested")
	}
	return l.acked
}
