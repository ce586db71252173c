package webhook

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/verify"
)

// naming reads what a verified request calls itself.
type naming struct {
	*verify.Names
	header http.Header
	event  *event.Event
}

// id is the delivery's id, and whether it is in the body, which is signed.
func (n naming) id() (id string, inBody bool, err error) {
	for _, place := range n.ID {
		id, err := n.value(place)
		if id != "" || err != nil {
			return id, place.Body != "", err
		}
	}
	return "", false, nil
}

// kind is the event's type: the first that the request has all parts of, else
// the webhook's name.
func (n naming) kind(webhook string) (string, error) {
	for i := range n.Types {
		kind := &n.Types[i]
		text := kind.Prefix
		if text == "" {
			text = webhook + "."
		}
		whole := true
		for j, place := range kind.From {
			value, err := n.value(place)
			if err != nil {
				return "", err
			}
			if whole = whole && value != ""; j > 0 {
				text += "."
			}
			text += n.dotted(value)
		}
		if whole {
			return text, nil
		}
	}
	return webhook, nil
}

// dotted makes a provider's own spelling of a type one of segments.
func (n naming) dotted(value string) string {
	if !strings.ContainsAny(value, n.Dots) {
		return value
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(n.Dots, r) {
			return '.'
		}
		return r
	}, value)
}

// value is what stands at a place; empty when nothing does. What stands in a
// header twice is read by different people differently.
func (n naming) value(place verify.Place) (string, error) {
	if place.Header == "" {
		data, err := n.event.Data()
		return scalar(data, place.Body), err
	}
	values := n.header[place.Header]
	if len(values) > 1 {
		return "", fmt.Errorf("header %s: is there more than once", place.Header)
	}
	if len(values) == 0 {
		return "", nil
	}
	return values[0], nil
}

// scalar is the text or number at a path of maps.
func scalar(data any, path string) string {
	for path != "" {
		object, ok := data.(map[string]any)
		if !ok {
			return ""
		}
		name, rest, _ := strings.Cut(path, ".")
		data, path = object[name], rest
	}
	switch value := data.(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	}
	return ""
}
