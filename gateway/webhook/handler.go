package webhook

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/verify"
	"github.com/event-gateway/gateway/gateway/webhook/cloudevents"
	"github.com/event-gateway/gateway/gateway/webhook/handshake"
	"github.com/event-gateway/gateway/gateway/webhook/schema"
)

// DefaultBudget bounds the bytes of all bodies that are being handled.
const DefaultBudget = 64 << 20

// Intake stores an event with its deliveries and returns when both are on
// stable storage.
type Intake interface {
	Accept(ctx context.Context, ev *event.Event, keys []store.Key, digest store.Digest) (store.Receipt, error)
	// AcceptAll stores all of several events or none. Event, Keys and Digest
	// are given.
	AcceptAll(ctx context.Context, es []*store.Entry) ([]store.Receipt, error)
}

// Handler serves the public listener. Its fields are set before its first use.
type Handler struct {
	// Table is asked once per request, so a request sees one configuration.
	Table  func() *Table
	Intake Intake
	Log    *zap.Logger
	// Budget in bytes; DefaultBudget when 0. Beyond it requests get a 503.
	Budget int64
	// Now is the clock; time.Now when nil.
	Now func() time.Time

	inFlight atomic.Int64
	panics   atomic.Uint64
}

// InFlight is how many bytes of bodies are being handled.
func (h *Handler) InFlight() int64 { return h.inFlight.Load() }

// Panics is how many requests ended in a panic of ours.
func (h *Handler) Panics() uint64 { return h.panics.Load() }

func (h *Handler) clock() time.Time {
	if h.Now == nil {
		return time.Now()
	}
	return h.Now()
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer h.recover(w, r)
	if len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1) {
		// A Content-Length beside chunks, or chunks in HTTP/1.0, have been
		// dropped, but a proxy in front may have believed them: what follows on
		// this connection may be a request that the proxy has never seen (RFC
		// 9112, 6.1).
		w.Header().Set("Connection", "close")
	}
	table := h.Table()
	hook, test := table.find(r.URL.Path)
	switch {
	case hook == nil || r.URL.RawPath != "":
		answer(w, http.StatusNotFound, "no webhook is declared here")
	case test && r.Method == http.MethodGet:
		answerTest(w, &hook.spec)
	case test:
		answerMethod(w, http.MethodGet)
	case r.Method != http.MethodPost:
		h.other(w, r, table, hook)
	default:
		h.receive(w, r, table, hook)
	}
}

func (h *Handler) recover(w http.ResponseWriter, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	h.panics.Add(1)
	h.Log.Error("webhook request panicked", zap.String("path", r.URL.Path), zap.Any("panic", cause), zap.ByteString("stack", debug.Stack()))
	answer(w, http.StatusInternalServerError, "something went wrong inside the gateway")
}

// receive takes a request that somebody sent to a webhook.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request, table *Table, hook *Webhook) {
	now := h.clock()
	count := hook.counters
	if !table.admit(w, r, hook) {
		return
	}
	contentType, ok := acceptable(r.Header)
	if !ok {
		count.unsupported.Add(1)
		answer(w, http.StatusUnsupportedMediaType, "send one body of a known media type, without content encoding")
		return
	}
	body, held, err := h.read(r, hook.spec.MaxBody)
	defer h.inFlight.Add(-held)
	if err != nil {
		h.refuse(w, hook, err)
		return
	}
	if hook.handshakes != nil && hook.asked(w, &handshake.Question{Request: r, Body: body, Now: now}) {
		return
	}
	request := table.request(hook, r, body)
	signed, err := hook.verifier.Verify(&request, now)
	count.signedAt(signed.SignedAt, now)
	if err == nil && hook.handshakes.Forgeable(body) {
		err = verify.Mismatch
	}
	if err != nil {
		hook.answerUnverified(w, err)
		return
	}
	count.matched(hook.secrets, signed.Secret, now)
	if hook.handshakes != nil && hook.asked(w, &handshake.Question{Request: r, Body: body, Verified: true, Secret: signed.Secret, Now: now}) {
		return
	}
	if wait := hook.limiter.All(hook.spec.Rate, &count.left); wait > 0 {
		hook.answerTooMany(w, wait)
		return
	}
	if hook.batched(contentType) {
		h.receiveBatch(w, r, hook, body, now)
		return
	}
	in, err := hook.event(r, body, contentType, signed, now)
	if err != nil {
		hook.answerInvalid(w, err)
		return
	}
	receipt, err := h.Intake.Accept(r.Context(), in.event, in.keys(), in.digest)
	if err != nil {
		h.refuse(w, hook, err)
		return
	}
	count.accept(receipt.Duplicate)
	answerAccepted(w, &receipt)
}

func (hook *Webhook) answerUnverified(w http.ResponseWriter, err error) {
	var reason verify.Reason
	errors.As(err, &reason)
	hook.counters.unverified[reason].Add(1)
	if reason == verify.Doubled {
		answer(w, http.StatusBadRequest, "a header that the signature depends on is there more than once")
		return
	}
	answerUnauthorized(w)
}

// answerInvalid answers what is no event; these errors are for the sender.
func (hook *Webhook) answerInvalid(w http.ResponseWriter, err error) {
	count, status := &hook.counters.invalid, http.StatusBadRequest
	var invalid *schema.Invalid
	switch {
	case errors.Is(err, cloudevents.ErrFormat) || errors.Is(err, errBatch):
		count, status = &hook.counters.unsupported, http.StatusUnsupportedMediaType
	case errors.As(err, &invalid):
		count, status = &hook.counters.schema, http.StatusUnprocessableEntity
	}
	count.Add(1)
	answer(w, status, err.Error())
}

// refuse answers what could not be taken, with what the sender can do about it.
func (h *Handler) refuse(w http.ResponseWriter, hook *Webhook, err error) {
	count := hook.counters
	switch {
	case errors.Is(err, errTooLarge):
		count.tooLarge.Add(1)
		w.Header().Set("Connection", "close")
		answer(w, http.StatusRequestEntityTooLarge, "the body is larger than this webhook accepts")
	case errors.Is(err, errUnreadable):
		count.invalid.Add(1)
		w.Header().Set("Connection", "close")
		answer(w, http.StatusBadRequest, "the body did not arrive whole")
	case errors.Is(err, store.ErrConflict):
		count.conflict.Add(1)
		answer(w, http.StatusConflict, "an event with this id and another body came before")
	case temporary(err):
		count.refused.Add(1)
		w.Header().Set("Retry-After", retryAfter)
		answer(w, http.StatusServiceUnavailable, "no event can be stored now; send it again later")
	default:
		count.failed.Add(1)
		h.Log.Error("webhook event not stored", zap.String("webhook", hook.spec.Name), zap.Error(err))
		answer(w, http.StatusInternalServerError, "something went wrong inside the gateway")
	}
}

// temporary tells what another try may mend: nothing was stored.
func temporary(err error) bool {
	for _, cause := range []error{errBusy, store.ErrFull, store.ErrBacklog, store.ErrFailed, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}
