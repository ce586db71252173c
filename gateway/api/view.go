package api

import (
	"encoding/json"
	"time"

	"github.com/event-gateway/gateway/gateway/api/ask"
	"github.com/event-gateway/gateway/gateway/api/replay"
	"github.com/event-gateway/gateway/gateway/api/runs"
	"github.com/event-gateway/gateway/gateway/store"
)

// Event is a stored event as it is shown: CloudEvents' attributes and what
// became of it. Lists have neither data, headers nor query.
type Event struct {
	// Cursor is its place in the list; newer is greater as a string.
	Cursor      string            `json:"cursor"`
	ID          string            `json:"id"`
	Source      string            `json:"source"`
	Type        string            `json:"type"`
	Subject     string            `json:"subject,omitempty"`
	Time        time.Time         `json:"time"`
	ContentType string            `json:"datacontenttype,omitempty"`
	Extensions  map[string]string `json:"extensions,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`
	Query       map[string]string `json:"query,omitempty"`
	// Revision of the configuration that routed it.
	Revision string `json:"revision"`
	// Routed is how many routes it matched.
	Routed int `json:"routed"`
	// Conflict: it came with the id of an earlier event and another body.
	Conflict bool `json:"conflict,omitempty"`
	// Data is a body of valid JSON; DataBase64 is any other body.
	Data       json.RawMessage `json:"data,omitempty"`
	DataBase64 []byte          `json:"data_base64,omitempty"`
	Deliveries []Delivery      `json:"deliveries,omitempty"`
	// Replays of it, or of the event that it is a replay of, oldest first.
	Replays []replay.Repeat `json:"replays,omitempty"`
}

// Delivery is one event for one route as it is shown.
type Delivery struct {
	// ID is also the idempotency key that the engine saw, and its place in the
	// list; newer is greater as a string.
	ID       string `json:"id"`
	EventID  string `json:"event_id"`
	Route    string `json:"route"`
	Engine   string `json:"engine"`
	Workflow string `json:"workflow"`
	State    string `json:"state"`
	// Attempt counts the attempts that have ended.
	Attempt        int       `json:"attempt"`
	AcceptedAt     time.Time `json:"accepted_at"`
	FirstAttemptAt time.Time `json:"first_attempt_at,omitzero"`
	// Due is the earliest time of the next attempt, while it is pending; of one that
	// is gathered when its group is due, if that is known.
	Due   time.Time       `json:"due,omitzero"`
	RunID string          `json:"run_id,omitempty"`
	Key   string          `json:"key,omitempty"`
	Input json.RawMessage `json:"input,omitempty"`
	Last  *Attempt        `json:"last,omitempty"`
	// MergedInto is the event that its own has become a part of.
	MergedInto string `json:"merged_into,omitempty"`
	// Run is the attempt under way; absent in lists.
	Run *runs.Run `json:"run,omitempty"`
	// Attempts, oldest first; absent in lists.
	Attempts []Attempt `json:"attempts,omitempty"`
}

// Attempt is one try of a delivery as it is shown.
type Attempt struct {
	Number  int             `json:"number"`
	Started time.Time       `json:"started"`
	Ended   time.Time       `json:"ended,omitzero"`
	Outcome string          `json:"outcome,omitempty"`
	Message string          `json:"message,omitempty"`
	Output  json.RawMessage `json:"output,omitempty"`
	Process string          `json:"process,omitempty"`
}

func viewEvent(e store.StoredEvent) Event {
	return Event{
		Cursor: store.FormatID(e.Seq), ID: e.Event.ID, Source: e.Event.Source, Type: e.Event.Type,
		Subject: e.Event.Subject, Time: e.Event.Time, ContentType: e.Event.ContentType,
		Extensions: e.Event.Extensions, Revision: e.Revision, Routed: e.Deliveries, Conflict: e.Conflict,
	}
}

func viewWholeEvent(e store.StoredEvent) Event {
	v := viewEvent(e)
	v.Headers, v.Query = e.Event.Headers, e.Event.Query
	v.Data, v.DataBase64 = replay.Body(e.Event)
	return v
}

func viewDelivery(d *store.Delivery) Delivery {
	v := Delivery{
		ID: d.ID(), EventID: d.EventID, Route: d.Route, Engine: d.Engine, Workflow: d.Workflow,
		State: d.State.String(), Attempt: d.Attempt, AcceptedAt: store.TimeOf(d.Seq),
		FirstAttemptAt: d.FirstAttemptAt, RunID: d.RunID, Key: d.Key, Input: ask.Shown(d.Input),
	}
	if d.State == store.Pending {
		v.Due = d.Due
	}
	switch {
	case d.State == store.Merged:
		v.MergedInto = d.Last.Message
	case d.Last.Number > 0:
		v.Last = new(viewAttempt(d.Last))
	}
	return v
}

func viewAttempt(a store.Attempt) Attempt {
	return Attempt{
		Number: a.Number, Started: a.Started, Ended: a.Ended, Outcome: a.Outcome,
		Message: a.Message, Output: ask.Shown(a.Output), Process: a.Process,
	}
}
