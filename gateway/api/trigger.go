package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/api/ask"
	"github.com/event-gateway/gateway/gateway/api/live"
	"github.com/event-gateway/gateway/gateway/store"
)

// Triggered answers a trigger: the event is on disk, and these workflows run
// because of it, each by itself.
type Triggered struct {
	Message string `json:"message"`
	EventID string `json:"event_id"`
	// WorkflowsExecuted is how many workflows the event started.
	WorkflowsExecuted int             `json:"workflows_executed"`
	Results           []TriggerResult `json:"results"`
}

// TriggerResult is what became of one workflow.
type TriggerResult struct {
	WorkflowID string `json:"workflow_id"`
	Engine     string `json:"engine"`
	Route      string `json:"route"`
	DeliveryID string `json:"delivery_id"`
	// RunID is the engine's own name for the run; null before it has told.
	RunID *string `json:"run_id"`
	// Status is PENDING, RUNNING, WAITING, SUCCEEDED, DEAD or DISCARDED. Without
	// wait it is PENDING.
	Status string `json:"status"`
	// Message says why a run failed.
	Message string `json:"message,omitempty"`
	// Output of a run that succeeded.
	Output json.RawMessage `json:"output,omitempty"`
}

const (
	// maxWait bounds how long a trigger may wait for its outcomes.
	maxWait = 5 * time.Minute
	// lookTime is how often a waiting trigger looks into the store, in case that
	// something has ended without saying so.
	lookTime = 5 * time.Second
)

// call is a trigger as it was asked for.
type call struct {
	entry *store.Entry
	wait  time.Duration
	key   bool // it has an Idempotency-Key
}

func (s *server) trigger(r *http.Request) (reply, error) {
	c, err := s.readCall(r)
	if err != nil {
		return reply{}, err
	}
	if c.wait > 0 {
		return s.triggerAndWait(r, c)
	}
	receipt, results, err := s.submitCall(r, c)
	if err != nil {
		return reply{}, err
	}
	return reply{code: http.StatusAccepted, body: triggered(receipt, results)}, nil
}

func (s *server) triggerAndWait(r *http.Request, c call) (reply, error) {
	// Before the event is accepted: its runs may end at once.
	watch, err := s.Live.Watch(c.entry.Event.ID)
	if err != nil {
		return reply{}, tooMany(err)
	}
	defer watch.Done()
	receipt, results, err := s.submitCall(r, c)
	if err != nil {
		return reply{}, err
	}
	if receipt.Duplicate {
		if watch, err = s.Live.Watch(receipt.EventID); err != nil {
			return reply{}, tooMany(err)
		}
		defer watch.Done()
		s.look(r, receipt.EventID, results) // what ended before
	}
	s.await(r, c.wait, watch, results)
	if slices.ContainsFunc(results, isOpen) {
		s.look(r, receipt.EventID, results)
	}
	return reply{body: triggered(receipt, results)}, nil
}

// submitCall commits the event and tells which deliveries it has.
func (s *server) submitCall(r *http.Request, c call) (receipt store.Receipt, results []TriggerResult, err error) {
	receipt, err = s.Operator.Submit(r.Context(), c.entry)
	if c.key && errors.Is(err, store.ErrConflict) {
		return receipt, nil, problem(http.StatusUnprocessableEntity, "this Idempotency-Key came before with another body")
	}
	if err != nil {
		return receipt, nil, err
	}
	s.logChange(r, "event triggered", zap.String("event", receipt.EventID), zap.String("type", receipt.EventType),
		zap.Bool("duplicate", receipt.Duplicate))
	deliveries := c.entry.Deliveries
	if receipt.Duplicate {
		_, deliveries, err = s.Reader.EventByID(r.Context(), receipt.EventID)
		if err != nil && !errors.Is(err, store.ErrNotFound) { // retention may have taken it before its key
			return receipt, nil, err
		}
	}
	results = make([]TriggerResult, len(deliveries))
	for i, d := range deliveries {
		results[i] = TriggerResult{WorkflowID: d.Workflow, Engine: d.Engine, Route: d.Route, DeliveryID: d.ID(), Status: "PENDING"}
	}
	return receipt, results, nil
}

func triggered(receipt store.Receipt, results []TriggerResult) Triggered {
	return Triggered{
		Message: fmt.Sprintf("Event %s triggered", receipt.EventType), EventID: receipt.EventID,
		WorkflowsExecuted: len(results), Results: results,
	}
}

// await fills in results as deliveries end, until all have or time is up.
func (s *server) await(r *http.Request, wait time.Duration, watch *live.Watch, results []TriggerResult) {
	timeout, look := time.NewTimer(wait), time.NewTicker(lookTime)
	defer timeout.Stop()
	defer look.Stop()
	for {
		for i := range results {
			if m, ok := watch.Ended(results[i].DeliveryID); ok {
				results[i].set(m.Body.(Delivery))
			}
		}
		if !slices.ContainsFunc(results, isOpen) {
			return
		}
		select {
		case <-watch.Signal():
		case <-look.C:
			s.look(r, watch.EventID(), results)
		case <-timeout.C:
			return
		case <-s.Live.Closed():
			return
		case <-r.Context().Done():
			return
		}
	}
}

// look fills in what the store knows.
func (s *server) look(r *http.Request, id string, results []TriggerResult) {
	_, deliveries, err := s.Reader.EventByID(r.Context(), id)
	if err != nil {
		return // the caller is told what is known
	}
	for i := range results {
		for _, d := range deliveries {
			if d.ID() == results[i].DeliveryID && isOpen(results[i]) {
				results[i].set(viewDelivery(d))
			}
		}
	}
}

// set takes over what became of a delivery. One that is tried again later, or
// runs and has not been recorded to, is RUNNING like one that is.
func (t *TriggerResult) set(d Delivery) {
	if d.RunID != "" {
		t.RunID = &d.RunID
	}
	t.Status = strings.ToUpper(d.State)
	if d.State == store.Pending.String() {
		t.Status = "RUNNING"
	}
	if d.Last != nil {
		t.Message, t.Output = d.Last.Message, d.Last.Output
	}
}

func isOpen(t TriggerResult) bool {
	return t.Status == "PENDING" || t.Status == "RUNNING" || t.Status == "WAITING"
}

// readCall reads what is triggered: the type from the path, the body as data.
func (s *server) readCall(r *http.Request) (c call, err error) {
	q := newQuery(r, s.now())
	c.wait = q.duration("wait", maxWait)
	if err := q.err(); err != nil {
		return c, err
	}
	in := Submission{Type: r.PathValue("event_type")}
	if in.Data, err = readAny(r); err != nil {
		return c, err
	}
	if err := in.check(); err != nil {
		return c, err
	}
	ev := in.event(s.now())
	ev.Trace(r.Header["Traceparent"])
	if err := ev.Valid(); err != nil {
		return c, problem(http.StatusBadRequest, "%s", err)
	}
	c.entry = &store.Entry{Event: ev, Digest: store.DigestOf(ev.Body)}
	key, err := idempotencyKey(r)
	if key != "" {
		c.key, c.entry.Keys = true, []store.Key{store.KeyOf("idempotency", ownSource, ev.Type, key)}
	}
	return c, err
}

// readAny reads a body of any JSON, or none.
func readAny(r *http.Request) (json.RawMessage, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, ask.Unread(err)
	}
	if body = bytes.TrimSpace(body); len(body) == 0 {
		return nil, nil
	}
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/json" {
		return nil, problem(http.StatusUnsupportedMediaType, "send Content-Type: application/json")
	}
	if !json.Valid(body) {
		return nil, problem(http.StatusBadRequest, "the body: not valid JSON")
	}
	return body, nil
}

// idempotencyKey is what the header of that name says (the IETF's draft of it:
// a quoted string; many send it bare). Empty: there is none.
func idempotencyKey(r *http.Request) (string, error) {
	values := r.Header.Values("Idempotency-Key")
	if len(values) == 0 {
		return "", nil
	}
	key := values[0]
	if inner, ok := strings.CutPrefix(key, `"`); ok {
		key, ok = strings.CutSuffix(inner, `"`)
		if !ok || strings.ContainsAny(key, `"\`) {
			key = ""
		}
	}
	printable := !strings.ContainsFunc(key, func(c rune) bool { return c < ' ' || c > '~' })
	if len(values) > 1 || key == "" || len(key) > maxAttribute || !printable {
		return "", problem(http.StatusBadRequest, "Idempotency-Key must be there once, with 1 to %d printable ASCII characters", maxAttribute)
	}
	return key, nil
}
