package live

import (
	"context"
	"errors"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestFilter(t *testing.T) {
	t.Parallel()
	dead := Message{Kind: Delivery, Route: "page", Engine: "exec", State: "dead", Type: "a", Source: "/api"}
	for _, c := range []struct {
		filter Filter
		want   bool
	}{
		{Filter{}, true},
		{Filter{Kinds: []Kind{Delivery}}, true},
		{Filter{Kinds: []Kind{Event, Delivery}}, true},
		{Filter{Kinds: []Kind{Event}}, false},
		{Filter{States: []string{"dead"}, Route: "page", Engine: "exec", Type: "a", Source: "/api"}, true},
		{Filter{States: []string{"running"}}, false},
		{Filter{Route: "other"}, false},
		{Filter{Engine: "other"}, false},
		{Filter{Type: "b"}, false},
		{Filter{Source: "/x"}, false},
	} {
		if got := c.filter.selects(&dead); got != c.want {
			t.Errorf("%+v: %t", c.filter, got)
		}
	}
}

// A follower that takes nothing is dropped, and nobody waits for it; others are
// told everything, in order.
func TestSlowFollower(t *testing.T) {
	t.Parallel()
	h := New()
	slow, err := h.Follow(Filter{})
	if err != nil {
		t.Fatal(err)
	}
	quick, err := h.Follow(Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 * maxBehind {
		h.Tell(Message{Kind: Event, EventID: strconv.Itoa(i)})
		if m := <-quick.Messages(); m.EventID != strconv.Itoa(i) {
			t.Fatalf("message %d is %s", i, m.EventID)
		}
	}
	select {
	case <-slow.Lost():
	default:
		t.Error("the slow one is still there")
	}
	select {
	case <-quick.Lost():
		t.Error("the quick one was dropped")
	default:
	}
	if n := len(slow.Messages()); n != maxBehind {
		t.Errorf("%d messages wait", n)
	}
	if !h.Wants("anything") {
		t.Error("they want all")
	}
	h.Leave(slow)
	h.Leave(quick)
	if !h.Quiet() {
		t.Error("not quiet when all have left")
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	h := New()
	for range maxFollowers {
		if _, err := h.Follow(Filter{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.Follow(Filter{}); !errors.Is(err, ErrFull) {
		t.Errorf("one more may follow: %v", err)
	}
	for range maxWatches {
		if _, err := h.Watch("e"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.Watch("e"); !errors.Is(err, ErrFull) {
		t.Errorf("one more may watch: %v", err)
	}
}

// A watch hears of what has ended of its own event and of nothing else.
func TestWatch(t *testing.T) {
	t.Parallel()
	h := New()
	w, err := h.Watch("e")
	if err != nil {
		t.Fatal(err)
	}
	other, err := h.Watch("e")
	if err != nil {
		t.Fatal(err)
	}
	if !h.Wants("e") || h.Wants("f") {
		t.Errorf("wants e: %t, f: %t", h.Wants("e"), h.Wants("f"))
	}
	h.Tell(Message{Kind: Delivery, EventID: "e", Delivery: "1", State: "running"})
	h.Tell(Message{Kind: Delivery, EventID: "f", Delivery: "2", Ended: true})
	select {
	case <-w.Signal():
		t.Error("nothing of it has ended")
	default:
	}
	h.Tell(Message{Kind: Delivery, EventID: "e", Delivery: "1", State: "dead", Ended: true})
	<-w.Signal()
	<-other.Signal()
	if m, ok := w.Ended("1"); !ok || m.State != "dead" {
		t.Errorf("got %+v, %t", m, ok)
	}
	if _, ok := w.Ended("2"); ok {
		t.Error("that is another event's")
	}
	w.Done()
	other.Done()
	if len(h.watches) != 0 || !h.Quiet() {
		t.Errorf("left over: %v", h.watches)
	}
}

// Many tell, follow, watch and leave at once; the race detector looks on.
func TestTogether(t *testing.T) {
	t.Parallel()
	h := New()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 200 {
				h.Tell(Message{Kind: Delivery, EventID: strconv.Itoa(n % 3), Delivery: "d", Ended: true})
			}
		})
		all.Go(func() {
			for range 50 {
				if f, err := h.Follow(Filter{}); err == nil {
					h.Leave(f)
				}
				if w, err := h.Watch(strconv.Itoa(i % 3)); err == nil {
					w.Ended("d")
					w.Done()
				}
			}
		})
	}
	all.Wait()
	if !h.Quiet() {
		t.Error("somebody is left")
	}
}

// Only the head was asked for.
func TestServeHead(t *testing.T) {
	t.Parallel()
	h := New()
	f, err := h.Follow(Filter{})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.Serve(w, httptest.NewRequest("HEAD", "/", nil), f, nil)
	if w.Body.Len() > 0 || w.Header().Get("Content-Type") != "text/event-stream" {
		t.Errorf("got %q, %v", w.Body, w.Header())
	}
}

// What is served is text/event-stream with beats, and ends with the client, the
// hub, the right to it, or a note to who was too slow.
func TestServe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		happens func(h *Hub, f *Follower, leave func())
		still   func() bool
		want    string
	}{
		"messages, then the client goes": {happens: func(h *Hub, _ *Follower, leave func()) {
			h.Tell(Message{Kind: Event, Body: map[string]string{"id": "a\nb"}})
			synctest.Wait()
			time.Sleep(beat + time.Second)
			h.Tell(Message{Kind: Delivery, Body: 1})
			synctest.Wait()
			leave()
		}, want: "event: event\ndata: {\"id\":\"a\\nb\"}\n\n: still here\n\nevent: delivery\ndata: 1\n\n"},
		"closed":      {happens: func(h *Hub, _ *Follower, _ func()) { h.Close(); h.Close() }},
		"not allowed": {happens: func(*Hub, *Follower, func()) {}, still: func() bool { return false }},
		"too slow": {happens: func(_ *Hub, f *Follower, _ func()) { f.once.Do(func() { close(f.lost) }) },
			want: "event: dropped\ndata: {\"reason\":\"you were too slow; ask for the lists again, then follow again\"}\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := New()
				f, err := h.Follow(Filter{})
				if err != nil {
					t.Fatal(err)
				}
				still := c.still
				if still == nil {
					still = func() bool { return true }
				}
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				w := httptest.NewRecorder()
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					h.Serve(w, httptest.NewRequestWithContext(ctx, "GET", "/", nil), f, still)
				}()
				synctest.Wait()
				c.happens(h, f, leave)
				<-ended
				text, ok := strings.CutPrefix(w.Body.String(), ": connected\nretry: 2000\n\n")
				if !ok || text != c.want || w.Header().Get("Content-Type") != "text/event-stream" {
					t.Errorf("got %q, want %q", w.Body, c.want)
				}
			})
		})
	}
}
