package cloudevents

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/event-gateway/gateway/gateway/event"
)

// FromJSON reads an event in structured mode, in the JSON event format. The
// event's body is the data, byte by byte as it stands in there.
func FromJSON(body []byte) (*event.Event, error) {
	if err := checkJSON(body); err != nil {
		return nil, err
	}
	return fromObject(body)
}

// BatchFromJSON reads a batch of at most so many events. One that is wrong
// makes all of it wrong, and the error says which.
func BatchFromJSON(body []byte, most int) ([]*event.Event, error) {
	if err := checkJSON(body); err != nil {
		return nil, err
	}
	var items []json.RawMessage
	if err := json.Unmarshal(body, &items); err != nil || items == nil {
		return nil, errors.New("cloudevents: a batch is a list of events")
	}
	if len(items) > most {
		return nil, fmt.Errorf("cloudevents: a batch of %d events, at most %d are taken at once", len(items), most)
	}
	events := make([]*event.Event, len(items))
	for i, item := range items {
		var err error
		if events[i], err = fromObject(item); err != nil {
			return nil, fmt.Errorf("event %d of the batch: %w", i+1, err)
		}
	}
	return events, nil
}

// checkJSON reads the body as the data of events is read, with the same bounds
// and the same words.
func checkJSON(body []byte) error {
	if len(body) == 0 {
		return errors.New("body: is empty")
	}
	return (&event.Event{Body: body}).Valid()
}

func fromObject(text []byte) (*event.Event, error) {
	d := newDraft()
	var data, encoded json.RawMessage
	err := members(text, func(name string, value json.RawMessage) error {
		switch {
		case name == "data":
			data = value
			return nil
		case bytes.Equal(value, []byte("null")):
			return nil // as if it were not there
		case name == "data_base64":
			encoded = value
			return nil
		}
		v, err := attribute(name, value)
		if err != nil {
			return fmt.Errorf("cloudevent: %s: %w", shortened(name), err)
		}
		return d.set(name, v)
	})
	if err != nil {
		return nil, err
	}
	if err := d.setData(data, encoded); err != nil {
		return nil, err
	}
	return d.done()
}

// members walks over an object. One member twice would be read in two ways by
// two readers.
func members(text []byte, each func(name string, value json.RawMessage) error) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return errors.New("cloudevent: is not a JSON object")
	}
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		var value json.RawMessage
		if err == nil && ok {
			err = dec.Decode(&value)
		}
		if err != nil || !ok {
			return fmt.Errorf("cloudevent: not valid JSON: %w", err)
		}
		if seen[name] {
			return fmt.Errorf("cloudevent: %s: is there more than once", shortened(name))
		}
		seen[name] = true
		if err := each(name, value); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("cloudevent: not valid JSON: %w", err)
	}
	return nil
}

// attribute is the canonical text of an attribute's value: a text is itself,
// an extension may also be a whole number of 32 bits or a boolean.
func attribute(name string, value json.RawMessage) (string, error) {
	var v any
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return "", errors.New("not valid JSON")
	}
	switch v := v.(type) {
	case string:
		return v, nil
	case bool:
		if !known(name) {
			return strconv.FormatBool(v), nil
		}
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 32); err == nil && !known(name) {
			return strconv.FormatInt(n, 10), nil
		}
	}
	if known(name) {
		return "", errors.New("is not a text")
	}
	return "", errors.New("is not a text, a boolean or a whole number of 32 bits")
}

// known attributes are texts of some kind, all of them.
func known(name string) bool {
	switch name {
	case "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema":
		return true
	}
	return false
}

// setData gives the event its body. Data that is JSON is its own text; a text
// of another type, in a JSON string, is what the string says.
func (d *draft) setData(data, encoded json.RawMessage) error {
	switch {
	case data != nil && encoded != nil:
		return errors.New("cloudevent: has both data and data_base64")
	case encoded != nil:
		return d.setBytes(encoded)
	case data == nil:
		return nil
	}
	if d.ev.ContentType == "" {
		d.ev.ContentType = "application/json"
	}
	if data[0] == '"' && event.Kind(d.ev.ContentType) != event.KindJSON {
		var text string
		if err := json.Unmarshal(data, &text); err != nil {
			return errors.New("cloudevent: data: not valid JSON")
		}
		d.ev.Body = []byte(text)
		return nil
	}
	d.ev.Body = data
	return nil
}

func (d *draft) setBytes(encoded json.RawMessage) error {
	var text string
	if err := json.Unmarshal(encoded, &text); err != nil {
		return errors.New("cloudevent: data_base64: is not a text")
	}
	body, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return errors.New("cloudevent: data_base64: is not base64")
	}
	d.ev.Body = body
	switch {
	case d.ev.ContentType != "":
	case json.Valid(body):
		d.ev.ContentType = "application/json"
	default:
		d.ev.ContentType = "application/octet-stream"
	}
	return nil
}
