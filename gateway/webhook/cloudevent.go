package webhook

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/verify"
	"github.com/event-gateway/gateway/gateway/webhook/cloudevents"
)

// errBatch is for senders of batches that nobody has agreed to.
var errBatch = errors.New("cloudevents: this webhook takes no batches")

// CloudEvents is how a webhook takes CloudEvents, which name themselves.
type CloudEvents struct {
	// Origins may be granted what they ask for; empty: any.
	Origins []string
	// Batch is how many events one request may bring; 0: batches are refused.
	Batch int
}

// cloudEvent makes the event of a verified request that is a CloudEvent.
func (hook *Webhook) cloudEvent(r *http.Request, body []byte, signed verify.Result, now time.Time) (*incoming, error) {
	mode, err := cloudevents.ModeOf(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	var ev *event.Event
	switch mode {
	case cloudevents.Batch:
		return nil, errBatch
	case cloudevents.Structured:
		ev, err = cloudevents.FromJSON(body)
	default:
		ev, err = cloudevents.FromHeaders(r.Header, body)
	}
	if err != nil {
		return nil, err
	}
	in := &incoming{event: ev, trusted: mode == cloudevents.Structured || !hook.signsBody()}
	in.content, _ = hook.contentKey(body, signed)
	return in, hook.complete(in, r, now)
}

// batched tells requests that bring several events, where these are taken.
func (hook *Webhook) batched(contentType string) bool {
	if hook.spec.CloudEvents == nil || hook.spec.CloudEvents.Batch == 0 {
		return false
	}
	mode, err := cloudevents.ModeOf(contentType)
	return err == nil && mode == cloudevents.Batch
}

// receiveBatch takes the events of a verified batch, all of them or none.
func (h *Handler) receiveBatch(w http.ResponseWriter, r *http.Request, hook *Webhook, body []byte, now time.Time) {
	entries, err := hook.batch(r, body, now)
	if err != nil {
		hook.answerInvalid(w, err)
		return
	}
	receipts, err := h.Intake.AcceptAll(r.Context(), entries)
	if err != nil {
		h.refuse(w, hook, err)
		return
	}
	for i := range receipts {
		hook.counters.accept(receipts[i].Duplicate)
	}
	answerBatch(w, receipts)
}

// batch makes the events of a batch. Their ids are in the body, which is signed
// if anything is.
func (hook *Webhook) batch(r *http.Request, body []byte, now time.Time) ([]*store.Entry, error) {
	events, err := cloudevents.BatchFromJSON(body, hook.spec.CloudEvents.Batch)
	if err != nil {
		return nil, err
	}
	entries := make([]*store.Entry, len(events))
	for i, ev := range events {
		in := &incoming{event: ev, trusted: true, content: store.Identity(ev.Source, ev.ID)}
		if err := hook.complete(in, r, now); err != nil {
			return nil, fmt.Errorf("event %d of the batch: %w", i+1, err)
		}
		entries[i] = &store.Entry{Event: ev, Digest: in.digest, Keys: in.keys()}
	}
	return entries, nil
}

// signsBody: with a mere token, whoever has captured a request can make up any
// other as well, and its id is as good as its content.
func (hook *Webhook) signsBody() bool {
	return slices.ContainsFunc(hook.verifier.Scheme().Proofs, func(p verify.Proof) bool { return p.Signed != "" })
}

// complete adds to an event what the request says beside it, and checks the
// whole.
func (hook *Webhook) complete(in *incoming, r *http.Request, now time.Time) error {
	ev := in.event
	if event.OwnSource(ev.Source) {
		return fmt.Errorf("cloudevent: source: %q is kept for the gateway's own events", ev.Source)
	}
	if ev.Time.IsZero() {
		ev.Time = now.UTC()
	}
	ev.Headers, ev.Query = hook.headers(r.Header), query(r.URL.RawQuery)
	ev.Trace(r.Header["Traceparent"])
	// The same event may come as headers and body or all in one: what makes it
	// the same is its data.
	sum := sha256.Sum256(ev.Body)
	in.digest = store.Digest(sum[:16])
	if err := hook.conform(ev); err != nil {
		return err
	}
	return hook.rename(in)
}
