// Package ask reads what requests to the admin listener ask for, and is what they
// are told when that makes no sense: problems. Endpoints of api call it first.
package ask

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap"
)

// Endpoint answers a request with a status and what becomes JSON, or says why not.
type Endpoint func(*http.Request) (code int, body any, err error)

// Log writes down who changed what.
type Log func(r *http.Request, what string, fields ...zap.Field)

// Subscribing asks for events of a type to start a workflow.
type Subscribing struct {
	EventType string
	// Workflow is a workflow of the default engine, or engine/workflow.
	Workflow string
	// Config becomes the workflow's input as it is; nil for none.
	Config map[string]any
}

// Scheduling asks for an event at an interval.
type Scheduling struct {
	EventType string
	Interval  time.Duration
	// Payload is JSON; nil for none.
	Payload any
}

// MaxAttribute bounds an attribute of an event, in bytes.
const MaxAttribute = 255

// JSON reads a body of one JSON value with its numbers as they are; nothing
// is nil.
func JSON(r *http.Request) (v any, err error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, Unread(err)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/json" {
		return nil, Refuse(http.StatusUnsupportedMediaType, "send Content-Type: application/json")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, Refuse(http.StatusBadRequest, "the body: %s", Fault(err))
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, Refuse(http.StatusBadRequest, "the body: more than one JSON value")
	}
	return v, nil
}

// Parameter is the one parameter that a query may have; empty without it.
func Parameter(r *http.Request, name string) (string, error) {
	values, err := Parameters(r, name)
	return values.Get(name), err
}

// Parameters are all that a query may have, each at most once.
func Parameters(r *http.Request, names ...string) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, Refuse(http.StatusBadRequest, "the query is not well-formed")
	}
	for given, list := range values {
		switch {
		case !slices.Contains(names, given):
			return nil, Refuse(http.StatusBadRequest, "unknown parameter %q (there is %s)", given, strings.Join(names, ", "))
		case len(list) > 1:
			return nil, Refuse(http.StatusBadRequest, "%s is given more than once", given)
		}
	}
	return values, nil
}

// Number is a whole number among the parameters, or otherwise where it is not
// given.
func Number(values url.Values, name string, otherwise, least, most int) (int, error) {
	text := values.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, Refuse(http.StatusBadRequest, "%s %q is not a number from %d to %d", name, text, least, most)
	}
	return n, nil
}

// eventType is the type in a path.
func eventType(r *http.Request) (string, error) {
	name := r.PathValue("event_type")
	if len(name) > MaxAttribute || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return "", Refuse(http.StatusUnprocessableEntity, "an event type has at most %d bytes of UTF-8, and neither spaces nor control characters", MaxAttribute)
	}
	return name, nil
}

// ReadSubscribing reads a request to subscribe.
func ReadSubscribing(r *http.Request) (in Subscribing, err error) {
	if in.EventType, err = eventType(r); err != nil {
		return in, err
	}
	body, err := JSON(r)
	if err != nil {
		return in, err
	}
	entries, ok := body.(map[string]any)
	if !ok {
		return in, Refuse(http.StatusUnprocessableEntity, `send {"workflow_id": …, "config": {…}}`)
	}
	for key, v := range entries {
		switch key {
		case "workflow_id":
			in.Workflow, ok = v.(string)
		case "config":
			in.Config, ok = v.(map[string]any)
			ok = ok || v == nil
		default:
			return in, Refuse(http.StatusUnprocessableEntity, "unknown field %q (there are workflow_id, config)", key)
		}
		if !ok {
			return in, Refuse(http.StatusUnprocessableEntity, "workflow_id is a text and config an object")
		}
	}
	if in.Workflow == "" {
		return in, Refuse(http.StatusUnprocessableEntity, "workflow_id is missing")
	}
	return in, nil
}

// The shortest and the longest interval.
const (
	minInterval = 5 * time.Second
	maxInterval = 366 * 24 * time.Hour
)

// ReadScheduling takes the interval from the query or from the body, and the
// payload out of the body or the body for the payload.
func ReadScheduling(r *http.Request, interval string) (in Scheduling, err error) {
	if in.EventType, err = eventType(r); err != nil {
		return in, err
	}
	if in.Payload, err = JSON(r); err != nil {
		return in, err
	}
	if inside, payload, ok := unwrap(in.Payload); ok {
		if in.Payload = payload; interval == "" || inside == "" {
			interval += inside
		} else if interval != inside {
			return in, Refuse(http.StatusUnprocessableEntity, "interval_seconds is %s in the query and %s in the body", interval, inside)
		}
	}
	in.Interval, err = readInterval(interval)
	return in, err
}

// unwrap takes a body apart that has nothing but an interval and a payload.
// Anything else is a payload.
func unwrap(body any) (interval string, payload any, ok bool) {
	entries, _ := body.(map[string]any)
	for key := range entries {
		if key != "interval_seconds" && key != "payload" {
			return "", nil, false
		}
	}
	switch v := entries["interval_seconds"].(type) {
	case json.Number:
		interval = v.String()
	case nil:
	default:
		return "", nil, false
	}
	return interval, entries["payload"], len(entries) > 0
}

func readInterval(text string) (time.Duration, error) {
	if text == "" {
		return 0, Refuse(http.StatusUnprocessableEntity, "interval_seconds is missing: it goes into the query, or into the body beside payload")
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return 0, Refuse(http.StatusUnprocessableEntity, "interval_seconds is a whole number of seconds, not %q", text)
	case seconds < int64(minInterval/time.Second):
		return 0, Refuse(http.StatusBadRequest, "Interval must be at least %s seconds", Seconds(minInterval))
	case seconds > int64(maxInterval/time.Second):
		return 0, Refuse(http.StatusBadRequest, "Interval must be at most %s seconds", Seconds(maxInterval))
	}
	return time.Duration(seconds) * time.Second, nil
}

// Seconds writes an interval of whole seconds.
func Seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }
