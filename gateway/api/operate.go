package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/api/access"
	"github.com/event-gateway/gateway/gateway/api/ask"
	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
)

// Submission is an event made by hand. Only Type is required; without an id
// it gets one, without a source its source is /api.
type Submission struct {
	Type    string          `json:"type"`
	Source  string          `json:"source,omitempty"`
	ID      string          `json:"id,omitempty"`
	Subject string          `json:"subject,omitempty"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// Accepted answers an event that is on disk.
type Accepted struct {
	Status    string `json:"status"`
	EventID   string `json:"event_id"`
	EventType string `json:"event_type"`
	// WorkflowsTriggered is how many routes it matched.
	WorkflowsTriggered int `json:"workflows_triggered"`
	// Duplicate: it had come before, and is told as it was then.
	Duplicate bool `json:"duplicate"`
}

// ownSource is the source of events that come without one.
const ownSource = "/api"

// maxAttribute bounds an attribute, in bytes.
const maxAttribute = ask.MaxAttribute

func (s *server) submit(r *http.Request) (reply, error) {
	in, err := readSubmission(r)
	if err != nil {
		return reply{}, err
	}
	e := in.event(s.now())
	if err := e.Valid(); err != nil {
		return reply{}, problem(http.StatusBadRequest, "data: %s", err)
	}
	e.Trace(r.Header["Traceparent"])
	receipt, err := s.Operator.Submit(r.Context(), &store.Entry{Event: e, Digest: store.DigestOf(e.Body)})
	if err != nil {
		return reply{}, err
	}
	s.logChange(r, "event submitted", zap.String("event", receipt.EventID), zap.String("type", receipt.EventType),
		zap.Bool("duplicate", receipt.Duplicate))
	return reply{code: http.StatusAccepted, body: Accepted{
		Status: "accepted", EventID: receipt.EventID, EventType: receipt.EventType,
		WorkflowsTriggered: receipt.Deliveries, Duplicate: receipt.Duplicate,
	}}, nil
}

func readSubmission(r *http.Request) (in Submission, err error) {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media != "application/json" {
		return in, problem(http.StatusUnsupportedMediaType, "send Content-Type: application/json")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return in, ask.Unread(err)
	}
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return in, problem(http.StatusBadRequest, "the body: %s", ask.Fault(err))
	}
	if _, err := d.Token(); err != io.EOF {
		return in, problem(http.StatusBadRequest, "the body: more than one JSON value")
	}
	return in, in.check()
}

func (in Submission) check() error {
	if in.Type == "" {
		return problem(http.StatusUnprocessableEntity, "type is missing")
	}
	for _, a := range []struct{ name, value string }{
		{"type", in.Type}, {"source", in.Source}, {"id", in.ID}, {"subject", in.Subject},
	} {
		if len(a.value) > maxAttribute {
			return problem(http.StatusUnprocessableEntity, "%s is longer than %d bytes", a.name, maxAttribute)
		}
		if strings.ContainsFunc(a.value, unicode.IsControl) {
			return problem(http.StatusUnprocessableEntity, "%s has a control character", a.name)
		}
		if !utf8.ValidString(a.value) { // in a path; JSON has none
			return problem(http.StatusUnprocessableEntity, "%s is not UTF-8", a.name)
		}
	}
	if strings.ContainsFunc(in.Type, unicode.IsSpace) {
		return problem(http.StatusUnprocessableEntity, "type %q has a space", in.Type)
	}
	return checkSource(in.Source)
}

// checkSource keeps the gateway's own sources for what really came from them:
// an event by hand must not pass for one with a checked signature.
func checkSource(source string) error {
	if _, err := url.Parse(source); err != nil {
		return problem(http.StatusUnprocessableEntity, "source %q is not a URI reference", source)
	}
	if event.OwnSource(source) {
		return problem(http.StatusUnprocessableEntity, "source %q is kept for the gateway's own events", source)
	}
	return nil
}

func (in Submission) event(now time.Time) *event.Event {
	e := &event.Event{ID: in.ID, Source: in.Source, Type: in.Type, Subject: in.Subject, Time: now.UTC()}
	if e.ID == "" {
		e.ID = uuid.NewString()
	}
	if e.Source == "" {
		e.Source = ownSource
	}
	if len(in.Data) > 0 {
		e.ContentType, e.Body = "application/json", in.Data
	}
	return e
}

func (s *server) retry(r *http.Request) (reply, error) {
	return s.operate(r, "retried", s.Operator.Retry)
}

func (s *server) discard(r *http.Request) (reply, error) {
	return s.operate(r, "discarded", s.Operator.Discard)
}

// operate does one thing to one delivery and answers with the delivery as it
// is afterwards.
func (s *server) operate(r *http.Request, done string, do func(context.Context, int64) error) (reply, error) {
	seq, err := deliverySeq(r)
	if err != nil {
		return reply{}, err
	}
	switch err := do(r.Context(), seq); {
	case errors.Is(err, store.ErrNotFound):
		return reply{}, noDelivery(r)
	case errors.Is(err, store.ErrState):
		return reply{}, s.wrongState(r, seq, done)
	case err != nil:
		return reply{}, err
	}
	s.logChange(r, "delivery "+done, zap.String("delivery", store.FormatID(seq)))
	d, err := s.wholeDelivery(r, seq)
	return reply{body: d}, err
}

func (s *server) wrongState(r *http.Request, seq int64, done string) error {
	d, _, err := s.Reader.Delivery(r.Context(), seq)
	if err != nil {
		return err
	}
	return problem(http.StatusConflict, "delivery %s is %s and cannot be %s", d.ID(), d.State, done)
}

// reloadTime is how long a reload may take: engines start, drain and are asked.
const reloadTime = 5 * time.Minute

// slow gives an endpoint more time than the server does.
func (s *server) slow(limit time.Duration, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Reading too: a read deadline that passes cancels the request. Writers
		// that have no deadlines, in tests, have none to extend.
		c, until := http.NewResponseController(w), time.Now().Add(limit)
		_, _ = c.SetReadDeadline(until), c.SetWriteDeadline(until)
		s.answer(h).ServeHTTP(w, r)
	})
}

func (s *server) reload(r *http.Request) (reply, error) {
	result, err := s.Operator.Reload(r.Context())
	if err != nil {
		return reply{}, err
	}
	s.logChange(r, "reload asked for", zap.String("revision", result.Revision), zap.Bool("refused", result.Refused()))
	if !result.Refused() {
		return reply{body: result}, nil
	}
	p := problem(http.StatusUnprocessableEntity, "the configuration was refused; revision %s stays live", result.Revision)
	p.Errors = result.Problems
	return reply{}, p
}

// logChange writes down who did what.
func (s *server) logChange(r *http.Request, what string, fields ...zap.Field) {
	c := access.Of(r)
	s.Log.Info(what, append(fields, zap.String("by", c.Who()), zap.String("from", c.From))...)
}
