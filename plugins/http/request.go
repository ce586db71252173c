package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/event-gateway/gateway/plugins/http/guard"
	"github.com/event-gateway/gateway/plugins/sdk"
)

// request is one workflow.
type request struct {
	name, description string
	method            string
	url               target
	headers           []header
	body              body
	keys              [][]byte // to sign with
	timeout           time.Duration
	success           []statuses // none: 2xx
	keep              []string   // headers of the answer, beside the usual
	maxOutput         int
	hide              hide
}

// run makes the request once.
func (q *request) run(ctx context.Context, via http.RoundTripper, r *sdk.Request) (sdk.Result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, q.timeout, fmt.Errorf("timed out after %s", q.timeout))
	defer cancel()
	out, err := q.build(ctx, r)
	if err != nil {
		return sdk.Result{}, sdk.Permanent(q.hide.from(err))
	}
	resp, err := via.RoundTrip(out)
	if err != nil {
		return sdk.Result{}, q.unreached(ctx, err)
	}
	defer resp.Body.Close()
	defer drain(resp.Body, cancel)
	a, err := q.read(resp)
	if err != nil {
		return sdk.Result{}, q.unreached(ctx, fmt.Errorf("answered %s, and broke off: %w", resp.Status, err))
	}
	return q.judge(a)
}

// unreached is a request without an answer. Whether it was heard is unknown;
// when it may not go there at all, trying again can't help.
func (q *request) unreached(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%s: %w", q.url.origin, cause)
	}
	no, isRefused := errors.AsType[guard.Refused](err)
	if isRefused {
		return sdk.Permanent(fmt.Errorf("%s: %w", q.url.origin, no))
	}
	return q.hide.from(fmt.Errorf("%s: %w", q.url.origin, err))
}

// build fills the templates. Its errors are about the event, which will be
// the same at every attempt.
func (q *request) build(ctx context.Context, r *sdk.Request) (*http.Request, error) {
	v, err := valuesOf(r)
	if err != nil {
		return nil, err
	}
	to, err := q.url.fill(v)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	content, mediaType, err := q.body.fill(v)
	if err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	out, err := http.NewRequestWithContext(ctx, q.method, q.url.origin, bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	out.URL = to
	if q.body.word == bodyNone {
		out.Body, out.GetBody, out.ContentLength = nil, nil, 0
	}
	return out, q.setHeaders(out.Header, v, content, mediaType)
}

func (q *request) setHeaders(h http.Header, v values, content []byte, mediaType string) error {
	h.Set("User-Agent", "event-gateway")
	if mediaType != "" && httpguts.ValidHeaderFieldValue(mediaType) {
		h.Set("Content-Type", mediaType)
	}
	for _, header := range q.headers {
		text, err := header.value.text(v, inHeader)
		if err != nil {
			return fmt.Errorf("headers: %s: %w", header.name, err)
		}
		h.Set(header.name, text)
	}
	if _, err := inHeader(v.run.Key); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	// With this header net/http, too, tries again on a fresh connection when
	// the service has closed the one it used.
	h.Set("Idempotency-Key", v.run.Key)
	if trace := v.run.Event.Extensions["traceparent"]; isTrace(trace) {
		h.Set("Traceparent", trace)
	}
	sign(h, q.keys, v.run.Key, time.Now(), content)
	return nil
}

// isTrace knows a traceparent of https://www.w3.org/TR/trace-context/.
func isTrace(s string) bool {
	return len(s) == 55 && strings.Trim(s, "0123456789abcdef-") == "" && s[2] == '-' && s[35] == '-' && s[52] == '-'
}

// inHeader keeps a value within its header.
func inHeader(s string) (string, error) {
	if !httpguts.ValidHeaderFieldValue(s) {
		return "", errors.New("holds a control character, in a header")
	}
	return s, nil
}

// What is still read of an answer to keep its connection, and how long.
const (
	drainLimit = 256 << 10
	drainTime  = 100 * time.Millisecond
)

func drain(body io.Reader, cancel func()) {
	timer := time.AfterFunc(drainTime, cancel)
	defer timer.Stop()
	_, _ = io.CopyN(io.Discard, body, drainLimit)
}
