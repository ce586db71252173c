// Package outcome decides what follows from how an attempt ended: another one,
// and when, or a dead letter. It is a part of dispatch.
package outcome

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
)

// Retry says how often and how long a delivery is tried.
type Retry struct {
	// Attempts that may fail; throttled ones do not count.
	Attempts int
	// The wait doubles from Min to Max, give or take Jitter (0 to 1).
	Min, Max time.Duration
	Jitter   float64
	// GiveUpAfter the first attempt; zero: never.
	GiveUpAfter time.Duration
}

// Outcomes of an attempt, beside those that engine.FailureKind names.
const (
	Succeeded = "succeeded"
	Retryable = "retryable"
	Permanent = "permanent"
	Throttled = "throttled"
	Timeout   = "timeout"
	Cancelled = "cancelled"
	// Merged is of a delivery that has become a part of another, unattempted.
	Merged = "merged"
)

// Of an attempt's last update: unwanted by a person, or late and asked to end.
func Of(u engine.Update, unwanted, late bool) string {
	switch {
	case u.Kind == engine.Succeeded:
		return Succeeded
	case unwanted:
		return Cancelled
	case late:
		return Timeout
	case u.Failure == engine.Permanent:
		return Permanent
	case u.Failure == engine.Throttled:
		return Throttled
	}
	return Retryable
}

// Next tells when a failed delivery is tried again, if it is.
func (r Retry) Next(d *store.Delivery, u engine.Update, outcome string, now time.Time) (due time.Time, again bool) {
	if outcome == Permanent || outcome == Cancelled || d.Attempt-d.Throttled >= r.Attempts {
		return due, false
	}
	due = now.Add(max(r.wait(d.Attempt), u.RetryAfter))
	if r.GiveUpAfter > 0 && due.After(d.FirstAttemptAt.Add(r.GiveUpAfter)) {
		return due, false
	}
	return due, true
}

// wait after the n-th attempt.
func (r Retry) wait(n int) time.Duration {
	d := r.Min
	for i := 1; i < n && d < r.Max; i++ {
		d *= 2
	}
	d = min(d, r.Max)
	return time.Duration(float64(d) * (1 + r.Jitter*(2*rand.Float64()-1)))
}

// DeadType is the type of the event that a dead delivery makes.
const DeadType = "gateway.delivery.dead"

// source of the gateway's own events.
const source = "/gateway"

// DeadLetter is the event that says a delivery has died, run by an engine's
// workflow. The death of a dead letter's own delivery makes no other, nil, or
// failures could go round for ever.
func DeadLetter(d *store.Delivery, engine, workflow string) *event.Event {
	ev := d.Event
	if ev.Type == DeadType && ev.Source == source {
		return nil
	}
	body, err := json.Marshal(map[string]any{
		"delivery": d.ID(), "route": d.Route, "engine": engine, "workflow": workflow,
		"attempts": d.Attempt, "outcome": d.Last.Outcome, "message": d.Last.Message,
		"event": map[string]any{"id": ev.ID, "source": ev.Source, "type": ev.Type, "subject": ev.Subject, "time": ev.Time},
	})
	if err != nil {
		return nil // unreachable: all of it is text and numbers
	}
	return &event.Event{
		ID: fmt.Sprintf("%s.%d", d.ID(), d.Attempt), Source: source, Type: DeadType, Subject: d.Route,
		Time: time.Now().UTC(), ContentType: "application/json", Body: body, Extensions: ev.Extensions,
	}
}

// maxMessage bounds what is kept of an engine's message, in bytes.
const maxMessage = 4 << 10

// Clip bounds a text; what is cut is never half a character.
func Clip(s string) string {
	if len(s) > maxMessage {
		s = s[:maxMessage] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
