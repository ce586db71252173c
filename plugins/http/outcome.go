package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/event-gateway/gateway/plugins/sdk"
)

// answer is what a service said, without what is hidden.
type answer struct {
	status int
	header http.Header
	body   []byte
	cut    bool // there was more
}

// slack is read beyond what is kept, so that what is hidden is found whole.
const slack = 4 << 10

func (q *request) read(resp *http.Response) (answer, error) {
	a := answer{status: resp.StatusCode, header: resp.Header}
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(q.maxOutput)+slack))
	if err != nil {
		return a, err
	}
	a.cut = len(body) > q.maxOutput
	torn := len(body) == q.maxOutput+slack
	body = q.hide.in(body)
	if torn {
		body = body[:max(0, len(body)-slack)]
	}
	a.body = bytes.ToValidUTF8(body[:min(len(body), q.maxOutput)], []byte("\uFFFD"))
	return a, nil
}

// judge makes the outcome out of the status.
func (q *request) judge(a answer) (sdk.Result, error) {
	if q.succeeded(a.status) {
		return sdk.Result{Output: q.output(a)}, nil
	}
	err := q.hide.from(errors.New(q.complaint(a)))
	after, told := retryAfter(a.header.Get("Retry-After"), time.Now())
	switch a.status {
	case http.StatusTooManyRequests:
		return sdk.Result{}, sdk.RetryAfter(err, after)
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusServiceUnavailable:
		if told {
			return sdk.Result{}, sdk.RetryAfter(err, after)
		}
		return sdk.Result{}, err
	case http.StatusConflict, http.StatusLocked:
		// The attempt before this one may still be under way over there.
		return sdk.Result{}, err
	}
	if a.status >= 500 {
		return sdk.Result{}, err
	}
	return sdk.Result{}, sdk.Permanent(err)
}

func (q *request) succeeded(status int) bool {
	if len(q.success) == 0 {
		return status >= 200 && status <= 299
	}
	return slices.ContainsFunc(q.success, func(s statuses) bool { return status >= s.first && status <= s.last })
}

// output is what is kept of a success.
func (q *request) output(a answer) map[string]any {
	kept := map[string]string{}
	for _, name := range append([]string{"Content-Type", "Location", "ETag", "Last-Modified", "Request-Id", "X-Request-Id"}, q.keep...) {
		if value := a.header.Get(name); value != "" {
			kept[strings.ToLower(name)] = q.hide.text(value)
		}
	}
	out := map[string]any{"status": a.status, "headers": kept}
	if a.cut {
		out["truncated"] = true
	}
	switch {
	case len(a.body) == 0:
	case !a.cut && json.Valid(a.body):
		out["body"] = json.RawMessage(a.body)
	default:
		out["body"] = string(a.body)
	}
	return out
}

// maxComplaint is how much of an answer is shown with a failure, in bytes.
const maxComplaint = 500

// complaint tells what the service answered.
func (q *request) complaint(a answer) string {
	said := fmt.Sprintf("%s: answered %d %s", q.url.origin, a.status, http.StatusText(a.status))
	if a.status >= 300 && a.status < 400 {
		if to := place(a.header.Get("Location")); to != "" {
			return said + ": redirects are not followed, this one to " + to
		}
		return said + ": redirects are not followed"
	}
	text := strings.Join(strings.FieldsFunc(string(a.body), func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if len(text) > maxComplaint {
		text = text[:maxComplaint] + "…"
	}
	if text == "" {
		return said
	}
	return said + ": " + text
}

// place is a Location without what might be a credential.
func place(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// What a service may ask for; beyond it the route's own backoff decides.
const (
	minRetryAfter = time.Second
	maxRetryAfter = time.Hour
)

// retryAfter reads seconds or a date, RFC 9110 section 10.2.3.
func retryAfter(value string, now time.Time) (after time.Duration, told bool) {
	if value == "" {
		return 0, false
	}
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil {
		after = maxRetryAfter
		if seconds < uint64(maxRetryAfter/time.Second) {
			after = time.Duration(seconds) * time.Second
		}
	} else if date, err := http.ParseTime(value); err == nil {
		after = date.Sub(now)
	} else {
		return 0, false
	}
	return min(max(after, minRetryAfter), maxRetryAfter), true
}
