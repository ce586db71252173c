package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"go.temporal.io/api/common/v1"

	"github.com/event-gateway/gateway/plugins/sdk"
)

// How Temporal's SDKs mark a payload.
const (
	encodingKey = "encoding"
	plainJSON   = "json/plain"
	protoJSON   = "json/protobuf"
	null        = "binary/null"
)

func payload(text []byte) *common.Payload {
	return &common.Payload{Metadata: map[string][]byte{encodingKey: []byte(plainJSON)}, Data: text}
}

// maxInput is the most that Temporal's server reads in one message, less what
// stands around an input.
const maxInput = 4<<20 - 64<<10

// input is the one argument of a workflow or a signal: what `with:` made, or
// the event's data. Without either there is none.
func input(r *sdk.Request, whole bool) (*common.Payloads, error) {
	text, err := []byte(r.Input), error(nil)
	switch {
	case whole:
		text, err = encode(envelope(r))
	case len(text) == 0 && len(r.Event.Data()) > 0:
		text, err = encode(data(&r.Event))
	}
	if err != nil {
		return nil, fmt.Errorf("input: %w", err)
	}
	if len(text) == 0 {
		return nil, nil
	}
	if len(text) > maxInput {
		return nil, fmt.Errorf("input: %d bytes are more than the %d that Temporal takes", len(text), maxInput)
	}
	return &common.Payloads{Payloads: []*common.Payload{payload(text)}}, nil
}

// encode leaves <, > and & as they are: nobody reads this as HTML.
func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(value)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// envelope is all that is known, as the engines exec and http spell it.
func envelope(r *sdk.Request) any {
	e := &r.Event
	return struct {
		Key      string          `json:"key"`
		Workflow string          `json:"workflow"`
		Event    any             `json:"event"`
		Input    json.RawMessage `json:"input,omitempty"`
	}{r.Key, r.Workflow, struct {
		ID          string            `json:"id"`
		Source      string            `json:"source"`
		Type        string            `json:"type"`
		Subject     string            `json:"subject,omitempty"`
		Time        time.Time         `json:"time"`
		ContentType string            `json:"datacontenttype,omitempty"`
		Data        any               `json:"data"`
		Headers     map[string]string `json:"headers,omitempty"`
		Query       map[string]string `json:"query,omitempty"`
		Extensions  map[string]string `json:"extensions,omitempty"`
	}{e.ID, e.Source, e.Type, e.Subject, e.Time, e.ContentType, data(e), e.Headers, e.Query, e.Extensions}, r.Input}
}

// data is null without a body, and a string should a body claim to be JSON
// that is none.
func data(e *sdk.Event) any {
	switch d := e.Data(); {
	case len(d) == 0:
		return nil
	case json.Valid(d):
		return d
	default:
		return string(d)
	}
}

// output is what a workflow returned, which is one value at most.
func output(p *common.Payloads) any {
	if len(p.GetPayloads()) == 0 {
		return nil
	}
	first := p.Payloads[0]
	encoding := string(first.Metadata[encodingKey])
	switch {
	case encoding == null:
		return nil
	case (encoding == plainJSON || encoding == protoJSON) && json.Valid(first.Data):
		return json.RawMessage(first.Data)
	}
	return map[string]any{"encoding": encoding, "data": first.Data} // base64
}

// origin is what a workflow's memo says about where it comes from. It is how
// the engine knows its own workflows again, after a restart too.
type origin struct {
	Key      string      `json:"key"`
	Workflow string      `json:"workflow"`
	Event    originEvent `json:"event"`
}

type originEvent struct {
	ID     string `json:"id"`
	Source string `json:"source"`
	Type   string `json:"type"`
}

const memoKey = "gateway"

func remember(r *sdk.Request) (*common.Memo, error) {
	text, err := encode(origin{r.Key, r.Workflow, originEvent{r.Event.ID, r.Event.Source, r.Event.Type}})
	return &common.Memo{Fields: map[string]*common.Payload{memoKey: payload(text)}}, err
}

// originOf is empty for a workflow that comes from somewhere else.
func originOf(m *common.Memo) (o origin) {
	if p := m.GetFields()[memoKey]; p != nil {
		_ = json.Unmarshal(p.Data, &o) // whoever wrote something else there, it was not us
	}
	return o
}

// header carries the event's trace on, where the tracing of Temporal's SDKs
// (OpenTelemetry) looks for it.
func header(r *sdk.Request) *common.Header {
	trace := map[string]string{}
	for _, name := range []string{"traceparent", "tracestate"} {
		if value := r.Event.Extensions[name]; value != "" {
			trace[name] = value
		}
	}
	if trace["traceparent"] == "" {
		return nil
	}
	text, err := encode(trace)
	if err != nil {
		return nil // texts always encode
	}
	return &common.Header{Fields: map[string]*common.Payload{"_tracer-data": payload(text)}}
}
