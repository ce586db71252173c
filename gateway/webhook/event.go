package webhook

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/expr"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/verify"
)

// maxName bounds ids and types in bytes.
const maxName = 512

// incoming is a verified request as an event, with what tells it from others.
type incoming struct {
	event  *event.Event
	digest store.Digest
	// content names what was signed, whatever the delivery's id says.
	content store.Key
	// windows name the content for a time, where it is the same only for that.
	windows []store.Key
	// trusted: the id is inside the signature, or is made of the content, so
	// it alone tells deliveries apart.
	trusted bool
}

// event makes the event of a verified request. Its errors are for the sender.
func (hook *Webhook) event(r *http.Request, body []byte, contentType string, signed verify.Result, now time.Time) (*incoming, error) {
	if hook.spec.CloudEvents != nil {
		return hook.cloudEvent(r, body, signed, now)
	}
	in := &incoming{}
	in.content, in.digest = hook.contentKey(body, signed)
	in.event = &event.Event{
		Source:      hook.source,
		Time:        now.UTC(),
		ContentType: contentType,
		Headers:     hook.headers(r.Header),
		Query:       query(r.URL.RawQuery),
		Body:        body,
	}
	in.event.Trace(r.Header["Traceparent"])
	if err := hook.conform(in.event); err != nil {
		return nil, err
	}
	return in, hook.name(in, r.Header, signed)
}

// invalidMark is the extension that says what a schema has against the data.
const invalidMark = "schemaerror"

// conform finds out whether the data is what its type, and the schema, say.
func (hook *Webhook) conform(ev *event.Event) error {
	if hook.spec.Schema == nil {
		return ev.Valid()
	}
	data, err := ev.Data()
	if err != nil {
		return err
	}
	delete(ev.Extensions, invalidMark) // what a sender says of it does not count
	err = hook.spec.Schema.Check(data)
	if err == nil || !hook.spec.MarkInvalid {
		return err
	}
	hook.counters.marked.Add(1)
	ev.Extend(invalidMark, strings.TrimPrefix(err.Error(), "schema: "))
	return nil
}

// contentKey is what tells one signed content from others, and the digest of
// the body. Where a form's fields are signed these are digested: there are many
// ways to spell them.
func (hook *Webhook) contentKey(body []byte, signed verify.Result) (store.Key, store.Digest) {
	if signed.Form != nil {
		body = signed.Form
	}
	digest := store.DigestOf(body)
	return store.KeyOf("signed", hook.source, signed.Timestamp, signed.URL, string(digest[:])), digest
}

// name gives the event its id and type.
func (hook *Webhook) name(in *incoming, h http.Header, signed verify.Result) error {
	ev := in.event
	own := naming{Names: &hook.verifier.Scheme().Names, header: h, event: ev}
	var err error
	if ev.ID, in.trusted = signed.ID, signed.ID != ""; ev.ID == "" {
		if ev.ID, in.trusted, err = own.id(); err != nil {
			return err
		}
	}
	if ev.ID == "" {
		ev.ID, in.trusted = contentID(in, signed), true
		in.within(hook.spec.RepeatedWithin)
	}
	if ev.Type, err = own.kind(hook.spec.Name); err != nil {
		return err
	}
	return hook.rename(in)
}

// rename gives the event the id and type that the webhook computes. Both
// expressions see the event as the scheme names it, so that neither depends on
// the other.
func (hook *Webhook) rename(in *incoming) error {
	ev := in.event
	id, err := evaluate(hook.spec.ID, ev, ev.ID)
	if err != nil {
		return fmt.Errorf("id: %w", err)
	}
	kind, err := evaluate(hook.spec.Type, ev, ev.Type)
	if err != nil {
		return fmt.Errorf("type: %w", err)
	}
	in.trusted = in.trusted && hook.spec.ID == nil
	ev.ID, ev.Type = id, kind
	return errors.Join(checkName("id", ev.ID), checkName("type", ev.Type))
}

// evaluate asks an expression; without one it is as the scheme says.
func evaluate(text *expr.Text, ev *event.Event, otherwise string) (string, error) {
	if text == nil {
		return otherwise, nil
	}
	return text.Eval(ev)
}

// contentID names an event after what was signed: the body, with the time and
// the URL when these are signed too.
func contentID(in *incoming, signed verify.Result) string {
	digest := in.digest
	if signed.Timestamp != "" || signed.URL != "" {
		digest = store.Digest(in.content)
	}
	const prefix = "sha256:"
	var b [len(prefix) + 2*len(digest)]byte
	copy(b[:], prefix)
	hex.Encode(b[len(prefix):], digest[:])
	return string(b[:])
}

// within makes the content the same event for a time only. Time is cut into
// windows. What comes in the same one or in the next is the same; what comes
// later than that is another event, and takes its name from its window.
func (in *incoming) within(window time.Duration) {
	if window == 0 {
		return
	}
	began, content := in.event.Time.Truncate(window), in.event.ID
	for _, w := range []time.Time{began, began.Add(window)} {
		in.windows = append(in.windows, store.KeyOf("within", in.event.Source, content, w.Format(time.RFC3339Nano)))
	}
	in.event.ID += "@" + began.Format(time.RFC3339Nano)
}

func checkName(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%s: is empty", what)
	case len(name) > maxName:
		return fmt.Errorf("%s: is longer than %d bytes", what, maxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("%s: holds control characters or is not UTF-8", what)
	}
	return nil
}

// keys are what makes a second sending recognisable beside its id. An id that
// is not signed can be replaced by whoever captured the request; the content
// cannot.
func (in *incoming) keys() []store.Key {
	if in.trusted {
		return in.windows
	}
	return []store.Key{in.content}
}

// headers are those to be kept; a repeated one is joined as HTTP joins them.
func (hook *Webhook) headers(h http.Header) map[string]string {
	var kept map[string]string
	for _, k := range hook.keep {
		values := h[k.received]
		if len(values) == 0 {
			continue
		}
		if kept == nil {
			kept = make(map[string]string, len(hook.keep))
		}
		kept[k.kept] = strings.ToValidUTF8(strings.Join(values, ", "), "\uFFFD")
	}
	return kept
}

// query decodes the URL's query; credentials in it are not kept.
func query(raw string) map[string]string {
	if raw == "" {
		return nil
	}
	// What is malformed is left out: the rest is still worth having.
	values, _ := url.ParseQuery(raw)
	kept := make(map[string]string, len(values))
	for name, v := range values {
		if credential(strings.ToLower(name)) {
			v = []string{"[redacted]"}
		}
		kept[name] = strings.Join(v, ",")
	}
	return kept
}

func canonical(name string) string { return textproto.CanonicalMIMEHeaderKey(name) }
