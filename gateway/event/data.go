package event

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Data is the decoded body, decoded once: JSON as it is (numbers as
// json.Number), a form as a map of strings, no body as nil, anything else as
// a string. It fails when a body that says it is JSON is not.
//
// The result is shared: nobody may change it.
func (e *Event) Data() (any, error) {
	e.decode.Do(func() {
		e.data, e.err = decode(e.ContentType, e.Body)
		e.decoded.Store(true)
	})
	return e.data, e.err
}

// JSON is the decoded body as JSON, for a body that is not JSON itself; nil
// when the body is already JSON, or empty.
func (e *Event) JSON() []byte {
	if len(e.Body) == 0 || Kind(e.ContentType) == KindJSON {
		return nil
	}
	data, err := e.Data()
	if err != nil {
		return nil
	}
	text, err := json.Marshal(data)
	if err != nil {
		return nil
	}
	return text
}

// BodyKind is how a body is read.
type BodyKind uint8

// Kinds of bodies.
const (
	KindJSON BodyKind = iota
	KindForm
	KindOther
)

// Kind tells from a content type how a body is read. No content type is JSON,
// because that is what senders who forget it send.
func Kind(contentType string) BodyKind {
	switch contentType {
	case "", "application/json":
		return KindJSON
	}
	media, _, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil:
		return KindOther
	case media == "application/json" || strings.HasSuffix(media, "+json"):
		return KindJSON
	case media == "application/x-www-form-urlencoded":
		return KindForm
	}
	return KindOther
}

// Valid tells whether the body is what it says it is; if not, where.
func (e *Event) Valid() error {
	if len(e.Body) > 0 && !e.decoded.Load() && Kind(e.ContentType) == KindJSON {
		_, err := readJSON(e.Body, wanted{})
		return err
	}
	_, err := e.Data()
	return err
}

func decode(contentType string, body []byte) (any, error) {
	if len(body) == 0 {
		return nil, nil
	}
	switch Kind(contentType) {
	case KindJSON:
		return readJSON(body, everything)
	case KindForm:
		return decodeForm(body)
	}
	if utf8.Valid(body) {
		return string(body), nil
	}
	return strings.ToValidUTF8(string(body), "\uFFFD"), nil
}

// decodeForm reads a form. GitHub sends its JSON in a field named payload:
// where a form is only that, the JSON is the data.
func decodeForm(body []byte) (any, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, fmt.Errorf("body: not a valid form")
	}
	if payload := values.Get("payload"); len(values) == 1 && payload != "" {
		if v, err := readJSON([]byte(payload), everything); err == nil {
			return v, nil
		}
	}
	form := make(map[string]any, len(values))
	for k, v := range values {
		form[k] = strings.Join(v, ",")
	}
	return form, nil
}
