package event

import (
	"encoding/json"
	"time"
	"unicode/utf8"
)

// Group makes one event, with the id, of several, oldest first. It is the newest
// of them but for its data, which has all of them as `events`: each with the
// names that expressions have for an event.
func Group(id string, members []*Event) *Event {
	newest := members[len(members)-1]
	return &Event{
		ID: id, Source: newest.Source, Type: newest.Type, Subject: newest.Subject, Time: newest.Time,
		ContentType: "application/json", Headers: newest.Headers, Query: newest.Query, Extensions: newest.Extensions,
		Body: groupBody(members),
	}
}

// member is an event of a group without its data.
type member struct {
	ID          string            `json:"id"`
	Source      string            `json:"source"`
	Type        string            `json:"type"`
	Subject     string            `json:"subject,omitempty"`
	Time        time.Time         `json:"time"`
	ContentType string            `json:"datacontenttype,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`
	Query       map[string]string `json:"query,omitempty"`
	Extensions  map[string]string `json:"extensions,omitempty"`
}

func groupBody(members []*Event) []byte {
	size := 64
	for _, e := range members {
		size += e.MemberSize()
	}
	b := append(make([]byte, 0, size), `{"events":[`...)
	for i, e := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = e.appendMember(b)
	}
	return append(b, "]}"...)
}

// memberBytes is about what an event takes in a group beside its body.
const memberBytes = 512

// MemberSize is about how many bytes the event takes in a group.
func (e *Event) MemberSize() int {
	if Kind(e.ContentType) == KindJSON {
		return memberBytes + len(e.Body)
	}
	return memberBytes + 3*len(e.Body)
}

// appendMember appends an event as one of a group. JSON is there byte by byte as
// it came; of another body, data is how it is read, and data_base64, by the name
// that CloudEvents has for it, its bytes.
func (e *Event) appendMember(b []byte) []byte {
	head, _ := json.Marshal(member{ // texts alone: it cannot fail
		e.ID, e.Source, e.Type, e.Subject, e.Time, e.ContentType, e.Headers, e.Query, e.Extensions,
	})
	b = append(b, head[:len(head)-1]...)
	switch text := e.JSON(); {
	case len(e.Body) == 0:
		b = append(b, `,"data":null`...)
	case text == nil && e.Valid() == nil && utf8.Valid(e.Body):
		b = append(append(b, `,"data":`...), e.Body...)
	default:
		bytes, _ := json.Marshal(e.Body)
		if text != nil {
			b = append(append(b, `,"data":`...), text...)
		}
		b = append(append(b, `,"data_base64":`...), bytes...)
	}
	return append(b, '}')
}
