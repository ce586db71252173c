package store

import (
	"time"

	"github.com/event-gateway/gateway/gateway/event"
)

// Page bounds a list: newest first, below Before when it is not zero.
type Page struct {
	Before int64
	Limit  int
}

// EventFilter selects events; zero fields select all.
type EventFilter struct {
	Page
	Type, Source string
	Since, Until time.Time
	// Routed selects events that matched a route (true) or none (false).
	Routed *bool
}

// StoredEvent is an event as the store has it.
type StoredEvent struct {
	Seq        int64
	Event      *event.Event
	Revision   string
	Deliveries int
	// Conflict: it came with the id of an earlier event and another body.
	Conflict bool
}

// DeliveryFilter selects deliveries; zero fields select all.
type DeliveryFilter struct {
	Page
	States        []State
	Route, Engine string
}

// Backlog is what waits for one route.
type Backlog struct {
	Route, Engine string
	Pending       int
	// Oldest is when the oldest open delivery was accepted.
	Oldest time.Time
}

// Revision is one configuration that was in force.
type Revision struct {
	// N is its place in the history; newer is greater.
	N    int64
	Hash string
	At   time.Time
	// Reason and Author are why it came into force, and by whom.
	Reason, Author string
	// Difference to the one before, in names.
	Difference string
	// Changes and Content, key by key and as text, are not the store's to know;
	// lists have no content. Secrets in them are references.
	Changes, Content []byte
}

// OverlayEntry is a piece of the configuration that was made while the gateway
// ran. What is in it is not the store's to know.
type OverlayEntry struct {
	// Name is section and name, such as routes.deploy-main; it is unique.
	Name string
	Text []byte
	// At is when it was made.
	At time.Time
}
