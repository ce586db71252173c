package dispatch

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

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
)

func outcome(it *item, u engine.Update) string {
	switch {
	case u.Kind == engine.Succeeded:
		return succeeded
	case !it.cancelled.IsZero():
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
	if outcome == permanent || d.Attempt-d.Throttled >= r.Attempts {
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

// deadLetter is the event that says a delivery has died. The death of a dead
// letter's own delivery makes no other, or failures could go round for ever.
func (d *Dispatcher) deadLetter(it *item) *store.Entry {
	ev := it.d.Event
	d.opts.Log.Warn("delivery is dead", zap.String("event", ev.ID), zap.String("route", it.d.Route),
		zap.Int("attempt", it.d.Attempt), zap.String("delivery", it.d.ID()), zap.String("message", it.d.Last.Message))
	if ev.Type == DeadType {
		return nil
	}
	body, err := json.Marshal(map[string]any{
		"delivery": it.d.ID(), "route": it.d.Route, "engine": it.q.rule.Engine, "workflow": it.q.rule.Workflow,
		"attempts": it.d.Attempt, "outcome": it.d.Last.Outcome, "message": it.d.Last.Message,
		"event": map[string]any{"id": ev.ID, "source": ev.Source, "type": ev.Type, "subject": ev.Subject, "time": ev.Time},
	})
	if err != nil {
		return nil // unreachable: all of it is text and numbers
	}
	return d.opts.Route(&event.Event{
		ID: fmt.Sprintf("%s.%d", it.d.ID(), it.d.Attempt), Source: "/gateway", Type: DeadType, Subject: it.d.Route,
		Time: time.Now().UTC(), ContentType: "application/json", Body: body, Extensions: ev.Extensions,
	})
}

// maxMessage bounds what is kept of an engine's message, in bytes.
const maxMessage = 4 << 10

func clip(s string) string {
	if len(s) > maxMessage {
		return s[:maxMessage] + "…"
	}
	return s
}
