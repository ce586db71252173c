package dispatch

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
	succeeded = "succeeded"
	retryable = "retryable"
	permanent = "permanent"
	throttled = "throttled"
	timeout   = "timeout"
	cancelled = "cancelled"
)

func outcome(r *run, u engine.Update) string {
	switch {
	case u.Kind == engine.Succeeded:
		return succeeded
	case r.unwanted:
		return cancelled
	case !r.cancelled.IsZero():
		return timeout
	case u.Failure == engine.Permanent:
		return permanent
	case u.Failure == engine.Throttled:
		return throttled
	}
	return retryable
}

// next tells when a failed delivery is tried again, if it is.
func (r Retry) next(d *store.Delivery, u engine.Update, outcome string, now time.Time) (due time.Time, again bool) {
	if outcome == permanent || outcome == cancelled || d.Attempt-d.Throttled >= r.Attempts {
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

// deadLetter is the event that says a delivery has died. The death of a dead
// letter's own delivery makes no other, or failures could go round for ever.
func (d *Dispatcher) deadLetter(r *run) *store.Entry {
	ev := r.d.Event
	if ev.Type == DeadType && ev.Source == source {
		return nil
	}
	body, err := json.Marshal(map[string]any{
		"delivery": r.d.ID(), "route": r.d.Route, "engine": r.rule.Engine, "workflow": r.rule.Workflow,
		"attempts": r.d.Attempt, "outcome": r.d.Last.Outcome, "message": r.d.Last.Message,
		"event": map[string]any{"id": ev.ID, "source": ev.Source, "type": ev.Type, "subject": ev.Subject, "time": ev.Time},
	})
	if err != nil {
		return nil // unreachable: all of it is text and numbers
	}
	return d.opts.Route(&event.Event{
		ID: fmt.Sprintf("%s.%d", r.d.ID(), r.d.Attempt), Source: source, Type: DeadType, Subject: r.d.Route,
		Time: time.Now().UTC(), ContentType: "application/json", Body: body, Extensions: ev.Extensions,
	})
}

// maxMessage bounds what is kept of an engine's message, in bytes.
const maxMessage = 4 << 10

// clip bounds a text; what is cut is never half a character.
func clip(s string) string {
	if len(s) > maxMessage {
		s = s[:maxMessage] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
