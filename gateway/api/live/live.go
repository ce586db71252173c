// Package live tells those who follow the gateway what happens in it, at the
// moment it happens: events that were accepted, deliveries that changed,
// reloads, engines. It stands beside the flow, which never waits for it.
package live

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Kind is what a message is about.
type Kind string

// Kinds of messages.
const (
	Event    Kind = "event"
	Delivery Kind = "delivery"
	Reload   Kind = "reload"
	Engine   Kind = "engine"
)

// Message is one thing that happened. It is never changed after it was told.
type Message struct {
	Kind Kind
	At   time.Time
	// EventID and the others are what it may be selected by; empty where they
	// mean nothing for its kind.
	EventID, Type, Source, Route, Engine, State string
	// Delivery names the delivery; Ended: it has.
	Delivery string
	Ended    bool
	// Body is shown, as JSON.
	Body any
}

// Filter selects messages. An empty field selects all; any other only messages
// that have one of its values.
type Filter struct {
	Kinds                       []Kind
	States                      []string
	Type, Source, Route, Engine string
}

func (f *Filter) selects(m *Message) bool {
	return (len(f.Kinds) == 0 || slices.Contains(f.Kinds, m.Kind)) &&
		(len(f.States) == 0 || slices.Contains(f.States, m.State)) &&
		(f.Type == "" || f.Type == m.Type) && (f.Source == "" || f.Source == m.Source) &&
		(f.Route == "" || f.Route == m.Route) && (f.Engine == "" || f.Engine == m.Engine)
}

// ErrFull: as many follow or wait as may.
var ErrFull = errors.New("live: too many follow")

const (
	// maxFollowers and maxWatches bound who is told, maxBehind how many messages
	// a follower may be late before it is dropped.
	maxFollowers, maxWatches, maxBehind = 64, 1024, 512
)

// Hub tells messages on. Its methods are safe for concurrent use, and telling
// never blocks.
type Hub struct {
	// followers is copied when it changes: telling takes no lock.
	followers atomic.Pointer[[]*Follower]
	watched   atomic.Int64

	mu      sync.Mutex
	watches map[string][]*Watch // by event
	closed  chan struct{}
	once    sync.Once
}

// New is a hub that nobody follows.
func New() *Hub {
	h := &Hub{watches: map[string][]*Watch{}, closed: make(chan struct{})}
	h.followers.Store(&[]*Follower{})
	return h
}

// Quiet tells that nobody would be told anything.
func (h *Hub) Quiet() bool { return h.watched.Load() == 0 && !h.Followed() }

// Wants tells whether somebody would be told of an event's deliveries.
func (h *Hub) Wants(event string) bool {
	if h.Followed() {
		return true
	}
	if h.watched.Load() == 0 {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.watches[event]) > 0
}

// Followed tells whether somebody follows, not only waits for deliveries.
func (h *Hub) Followed() bool { return len(*h.followers.Load()) > 0 }

// Close ends all following and waiting.
func (h *Hub) Close() { h.once.Do(func() { close(h.closed) }) }

// Closed is closed when the hub is.
func (h *Hub) Closed() <-chan struct{} { return h.closed }

// Tell tells a message to all whom it concerns.
func (h *Hub) Tell(m Message) {
	for _, f := range *h.followers.Load() {
		if f.filter.selects(&m) {
			f.offer(m)
		}
	}
	if m.Kind == Delivery && m.Ended && h.watched.Load() > 0 {
		h.wake(m)
	}
}

// Follower is somebody who follows. Messages come in their order, as long as
// they are taken.
type Follower struct {
	filter   Filter
	messages chan Message
	lost     chan struct{}
	once     sync.Once
}

// Follow begins to tell; ErrFull when too many follow. Leave ends it.
func (h *Hub) Follow(filter Filter) (*Follower, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	old := *h.followers.Load()
	if len(old) >= maxFollowers {
		return nil, ErrFull
	}
	f := &Follower{filter: filter, messages: make(chan Message, maxBehind), lost: make(chan struct{})}
	list := append(slices.Clone(old), f)
	h.followers.Store(&list)
	return f, nil
}

// Leave ends following.
func (h *Hub) Leave(f *Follower) {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(*h.followers.Load()), func(other *Follower) bool { return other == f })
	h.followers.Store(&list)
}

// offer drops a follower who is too late: with a hole in them messages would
// tell something that is not so.
func (f *Follower) offer(m Message) {
	select {
	case <-f.lost:
		return
	default:
	}
	select {
	case f.messages <- m:
	default:
		f.once.Do(func() { close(f.lost) })
	}
}

// Messages are what is told.
func (f *Follower) Messages() <-chan Message { return f.messages }

// Lost is closed when the follower was too late and is told nothing more.
func (f *Follower) Lost() <-chan struct{} { return f.lost }

// Watch is told of an event's deliveries when they have ended.
type Watch struct {
	hub    *Hub
	event  string
	signal chan struct{}
	ended  map[string]Message
}

// Watch begins to watch an event; ErrFull when too many watch. Done ends it.
func (h *Hub) Watch(event string) (*Watch, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watched.Load() >= maxWatches {
		return nil, ErrFull
	}
	w := &Watch{hub: h, event: event, signal: make(chan struct{}, 1), ended: map[string]Message{}}
	h.watches[event] = append(h.watches[event], w)
	h.watched.Add(1)
	return w, nil
}

// Done ends watching.
func (w *Watch) Done() {
	h := w.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	rest := slices.DeleteFunc(h.watches[w.event], func(other *Watch) bool { return other == w })
	if h.watches[w.event] = rest; len(rest) == 0 {
		delete(h.watches, w.event)
	}
	h.watched.Add(-1)
}

// EventID is the event that is watched.
func (w *Watch) EventID() string { return w.event }

// Signal comes after something has ended.
func (w *Watch) Signal() <-chan struct{} { return w.signal }

// Ended is the last message of a delivery that has ended since the watch began.
func (w *Watch) Ended(delivery string) (Message, bool) {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	m, ok := w.ended[delivery]
	return m, ok
}

func (h *Hub) wake(m Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.watches[m.EventID] {
		w.ended[m.Delivery] = m
		select {
		case w.signal <- struct{}{}:
		default:
		}
	}
}
