package message

import (
	"slices"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// The numbers of the fields below are those of engine.proto.

// Size is that of a message with this start only, in bytes.
func (s *Start) Size() int {
	_, size := s.sizes()
	return nestedSize(nestedSize(size))
}

// Append adds the start to a message as one more of its commands.
func (s *Start) Append(b []byte) []byte {
	event, size := s.sizes()
	b = appendNested(b, 1, nestedSize(size))
	b = appendNested(b, 1, size)
	b = appendText(b, 1, s.Key)
	b = appendText(b, 2, s.Workflow)
	b = appendNested(b, 3, event)
	b = s.Event.append(b)
	b = appendText(b, 4, s.Input)
	b = appendNumber(b, 5, int64(int32(s.Attempt)))
	b = appendTime(b, 6, s.Deadline)
	return appendTime(b, 7, s.FirstAttemptAt)
}

// sizes are those of the event and of the start.
func (s *Start) sizes() (event, start int) {
	event = s.Event.size()
	return event, textSize(s.Key) + textSize(s.Workflow) + nestedSize(event) + textSize(s.Input) +
		numberSize(int64(int32(s.Attempt))) + timeSize(s.Deadline) + timeSize(s.FirstAttemptAt)
}

func (e *Event) append(b []byte) []byte {
	b = appendText(b, 1, e.ID)
	b = appendText(b, 2, e.Source)
	b = appendText(b, 3, e.Type)
	b = appendText(b, 4, e.Subject)
	b = appendTime(b, 5, e.Time)
	b = appendText(b, 6, e.ContentType)
	b = appendText(b, 7, e.Body)
	b = appendText(b, 8, e.Data)
	b = appendAttributes(b, 9, e.Headers)
	b = appendAttributes(b, 10, e.Query)
	return appendAttributes(b, 11, e.Extensions)
}

func (e *Event) size() int {
	return textSize(e.ID) + textSize(e.Source) + textSize(e.Type) + textSize(e.Subject) + timeSize(e.Time) +
		textSize(e.ContentType) + textSize(e.Body) + textSize(e.Data) +
		attributesSize(e.Headers) + attributesSize(e.Query) + attributesSize(e.Extensions)
}

// appendAttributes sorts them by name: the same event is the same bytes.
func appendAttributes(b []byte, field int, values map[string]string) []byte {
	var room [16]string
	names := room[:0]
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		value := values[name]
		b = appendNested(b, field, textSize(name)+textSize(value))
		b = appendText(b, 1, name)
		b = appendText(b, 2, value)
	}
	return b
}

func attributesSize(values map[string]string) int {
	size := 0
	for name, value := range values {
		size += nestedSize(textSize(name) + textSize(value))
	}
	return size
}

// Cancel is a message that cancels a run. The reason is valid UTF-8.
func Cancel(key, reason string) Encoded { return keyed(2, key, reason) }

// Answer is a message that answers a run with one JSON value.
func Answer(key string, input []byte) Encoded { return keyed(3, key, input) }

func keyed[T string | []byte](field int, key string, text T) Encoded {
	size := textSize(key) + textSize(text)
	b := appendNested(nil, 1, nestedSize(size))
	b = appendNested(b, field, size)
	b = appendText(b, 1, key)
	return appendText(b, 2, text)
}

// AppendSuccess adds an update to a message as one more of its updates, if it is
// the success of a run.
func AppendSuccess(b []byte, m *enginev1.RunUpdate) (all []byte, ok bool) {
	success, ok := m.Update.(*enginev1.RunUpdate_Succeeded)
	if !ok {
		return b, false
	}
	output := success.Succeeded.GetOutput()
	b = appendNested(b, 1, textSize(m.Key)+nestedSize(textSize(output)))
	b = appendText(b, 1, m.Key)
	b = appendNested(b, 5, textSize(output))
	return appendText(b, 1, output), true
}
