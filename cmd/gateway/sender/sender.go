// Package sender makes the request that a webhook's sender would make, for the
// verbs that try a webhook out.
package sender

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/event-gateway/gateway/gateway"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/verify"
)

// Request is what to send to a webhook.
type Request struct {
	// URL as the sender knows it; some schemes sign it.
	URL string
	// Event is which event it is, where a header says so.
	Event string
	// ID of the delivery, where the scheme has a place for one; empty: Unnamed, or
	// else a new one.
	ID, Unnamed string
	// Key to sign with; nil: a secret of the webhook.
	Key []byte
	// Header is added at last, and wins.
	Header http.Header
	Body   []byte
}

// Mistake is an error of whoever says what to send.
type Mistake string

func (m Mistake) Error() string { return string(m) }

// Sign completes a request as the webhook's sender would at a moment.
func (q Request) Sign(hook config.Webhook, now time.Time) (*verify.Request, error) {
	scheme, err := gateway.SchemeOf(hook)
	if err != nil {
		return nil, err
	}
	if q.Key == nil && !scheme.None {
		if q.Key, err = Secret(scheme, hook, now); err != nil {
			return nil, err
		}
	}
	if err := q.hasPlace(scheme, hook); err != nil {
		return nil, err
	}
	q.ID = cmp.Or(q.ID, q.Unnamed, uuid.NewString())
	r := &verify.Request{Method: http.MethodPost, URL: q.URL, Body: q.Body, Header: http.Header{
		"Content-Type": {cmp.Or(q.Header.Get("Content-Type"), "application/json")}, "User-Agent": {"gateway-send"},
	}}
	if err := verify.Sign(scheme, q.Key, r, now, q.ID); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	if err := q.name(r, scheme, hook); err != nil {
		return nil, err
	}
	maps.Copy(r.Header, q.Header)
	return r, nil
}

// hasPlace refuses an id that nobody would ever see.
func (q *Request) hasPlace(scheme verify.Scheme, hook config.Webhook) error {
	has := slices.ContainsFunc(scheme.ID, func(p verify.Place) bool { return p.Header != "" }) ||
		slices.ContainsFunc(scheme.Proofs, func(p verify.Proof) bool { return p.ID != "" })
	switch {
	case q.ID == "" || has:
	case hook.CloudEvents != nil || hook.Scheme == "cloudevents":
		if q.structured(&verify.Request{Body: q.Body, Header: http.Header{}}) {
			return Mistake("the body is a CloudEvent, which has its id in it: change it there, not with --id")
		}
	case hook.ID != "":
		return Mistake("the webhook makes its ids itself: change what its id is made of, not --id")
	default:
		return Mistake(fmt.Sprintf("scheme %s has no header for --id: the body tells sendings apart, so change that", hook.Scheme))
	}
	return nil
}

// name says what the request is, in the headers where the scheme's requests
// say so.
func (q *Request) name(r *verify.Request, scheme verify.Scheme, hook config.Webhook) error {
	in := ""
	if len(scheme.Types) > 0 {
		in = scheme.Types[0].From[0].Header
	}
	if hook.CloudEvents != nil || hook.Scheme == "cloudevents" {
		if in = "Ce-Type"; q.structured(r) {
			return nil
		}
		r.Header.Set("Ce-Specversion", "1.0")
		r.Header.Set("Ce-Id", q.ID)
		r.Header.Set("Ce-Source", "/gateway-send")
	}
	switch {
	case in == "" && q.Event != "":
		return Mistake(fmt.Sprintf("scheme %s has no header for --event", hook.Scheme))
	case in != "" && q.Event == "" && q.Header.Get(in) == "":
		return Mistake("say which event it is: --event push")
	case q.Event != "":
		r.Header.Set(in, q.Event)
	}
	return nil
}

// structured tells whether the body is a CloudEvent itself, and says so.
func (q *Request) structured(r *verify.Request) bool {
	if kind := q.Header.Get("Content-Type"); kind != "" {
		return strings.HasPrefix(kind, "application/cloudevents")
	}
	var body struct {
		SpecVersion string `json:"specversion"`
	}
	if json.Unmarshal(r.Body, &body) != nil || body.SpecVersion == "" {
		return false
	}
	r.Header.Set("Content-Type", "application/cloudevents+json")
	return true
}

// Secret is the first of the webhook's that is valid now, known here and can
// sign.
func Secret(scheme verify.Scheme, hook config.Webhook, now time.Time) ([]byte, error) {
	public := false
	for _, key := range hook.Secrets {
		value := key.Value.Reveal()
		usable := key.Value.Known() && len(value) > 0 && (key.Until.IsZero() || now.Before(key.Until))
		if usable && !scheme.Public(value) {
			return value, nil
		}
		public = public || usable
	}
	if public {
		return nil, errors.New("its secrets are public keys: give the private one with --key @file")
	}
	return nil, errors.New("none of its secrets is known here and valid now")
}

// Headers reads 'Name: value' as it is given to curl.
func Headers(lines []string) (http.Header, error) {
	h := http.Header{}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		name = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))
		if !ok || name == "" || strings.ContainsAny(line, "\r\n") {
			return nil, Mistake(fmt.Sprintf("header %q is not like 'Name: value'", line))
		}
		h.Add(name, strings.TrimSpace(value))
	}
	return h, nil
}
