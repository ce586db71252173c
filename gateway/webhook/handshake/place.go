package handshake

import (
	"errors"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"

	"github.com/event-gateway/gateway/gateway/event"
)

// place is where in a request a value stands.
type place struct {
	root string
	name string   // of a header or query parameter
	path []string // in the body
}

const placeWanted = "want a place like query.name, headers.x-name or data.field"

var errPlace = errors.New(placeWanted)

// parsePlace reads a place. What follows query. or headers. is one name, dots
// and all: hub.challenge is a name that people chose.
func parsePlace(text string) (place, error) {
	if text == "" {
		return place{}, nil
	}
	root, rest, _ := strings.Cut(text, ".")
	p := place{root: root, name: rest}
	switch {
	case rest == "":
		return p, errPlace
	case root == "query":
	case root == "headers":
		p.name = textproto.CanonicalMIMEHeaderKey(rest)
	case root == "data":
		p.path = strings.Split(rest, ".")
	default:
		return p, errPlace
	}
	return p, nil
}

// in is the value that a question has there, nil for none. A parameter or a
// header that is there more than once is nowhere: two readers could disagree.
func (p place) in(q *Question) any {
	switch p.root {
	case "query":
		values, _ := url.ParseQuery(q.Request.URL.RawQuery)
		return only(values[p.name])
	case "headers":
		return only(q.Request.Header[p.name])
	}
	v := q.data()
	for _, key := range p.path {
		v = step(v, key)
	}
	return v
}

func only(values []string) any {
	if len(values) != 1 {
		return nil
	}
	return values[0]
}

// data is the body, read as an event's would be; nil when it cannot be.
func (q *Question) data() any {
	if q.body == nil {
		q.body = &event.Event{ContentType: q.Request.Header.Get("Content-Type"), Body: q.Body}
	}
	data, _ := q.body.Data()
	return data
}

// step goes to a member of an object or an element of a list.
func step(data any, key string) any {
	switch d := data.(type) {
	case map[string]any:
		return d[key]
	case []any:
		if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(d) {
			return d[i]
		}
	}
	return nil
}
