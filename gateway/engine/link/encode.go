package link

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// start is a start command on its way, and the encoded sizes, in bytes, of the
// messages in it. Calls are many: each is encoded straight from its event,
// without the object that protobuf would want for every part of it.
type start struct {
	call  Call
	data  []byte // of the event
	event int
	start int
}

func newStart(c Call) start {
	s := start{call: c}
	if c.Event != nil {
		s.data = c.Event.JSON()
		s.event = s.eventSize()
	}
	s.start = s.startSize()
	return s
}

// size is that of a message with this command only.
func (s *start) size() int { return nestedSize(nestedSize(s.start)) }

// The numbers of the fields below are those of engine.proto.

// append adds the start to a message as one more of its commands.
func (s *start) append(b []byte) []byte {
	b = appendNested(b, 1, nestedSize(s.start))
	b = appendNested(b, 1, s.start)
	c := &s.call
	b = appendText(b, 1, c.Key)
	b = appendText(b, 2, c.Workflow)
	if c.Event != nil {
		b = appendNested(b, 3, s.event)
		b = s.appendEvent(b)
	}
	b = appendText(b, 4, c.Input)
	b = appendNumber(b, 5, int64(int32(c.Attempt)))
	b = appendTime(b, 6, c.Deadline)
	return appendTime(b, 7, c.FirstAttemptAt)
}

func (s *start) startSize() int {
	c := &s.call
	size := textSize(c.Key) + textSize(c.Workflow) + textSize(c.Input) +
		numberSize(int64(int32(c.Attempt))) + timeSize(c.Deadline) + timeSize(c.FirstAttemptAt)
	if c.Event != nil {
		size += nestedSize(s.event)
	}
	return size
}

func (s *start) appendEvent(b []byte) []byte {
	e := s.call.Event
	b = appendText(b, 1, e.ID)
	b = appendText(b, 2, e.Source)
	b = appendText(b, 3, e.Type)
	b = appendText(b, 4, e.Subject)
	b = appendTime(b, 5, e.Time)
	b = appendText(b, 6, e.ContentType)
	b = appendText(b, 7, e.Body)
	b = appendText(b, 8, s.data)
	b = appendAttributes(b, 9, e.Headers)
	b = appendAttributes(b, 10, e.Query)
	return appendAttributes(b, 11, e.Extensions)
}

func (s *start) eventSize() int {
	e := s.call.Event
	return textSize(e.ID) + textSize(e.Source) + textSize(e.Type) + textSize(e.Subject) + timeSize(e.Time) +
		textSize(e.ContentType) + textSize(e.Body) + textSize(s.data) +
		attributesSize(e.Headers) + attributesSize(e.Query) + attributesSize(e.Extensions)
}

// cancelMessage is encoded, and so is answerMessage.
func cancelMessage(key, reason string) []byte {
	return keyedMessage(2, key, strings.ToValidUTF8(reason, "\uFFFD"))
}

func answerMessage(key string, input []byte) []byte { return keyedMessage(3, key, input) }

func keyedMessage[T string | []byte](field protowire.Number, key string, text T) []byte {
	size := textSize(key) + textSize(text)
	b := appendNested(nil, 1, nestedSize(size))
	b = appendNested(b, field, size)
	b = appendText(b, 1, key)
	return appendText(b, 2, text)
}

// appendAttributes sorts them by name: the same event is the same bytes.
func appendAttributes(b []byte, field protowire.Number, values map[string]string) []byte {
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

// tagSize is what the number of a field takes: none here is above 15.
const tagSize = 1

func appendNested(b []byte, field protowire.Number, size int) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendVarint(b, uint64(size))
}

func nestedSize(size int) int { return tagSize + protowire.SizeBytes(size) }

// What is empty or zero is left out, as in all of proto3.

func appendText[T string | []byte](b []byte, field protowire.Number, text T) []byte {
	if len(text) == 0 {
		return b
	}
	return append(appendNested(b, field, len(text)), text...)
}

func textSize[T string | []byte](text T) int {
	if len(text) == 0 {
		return 0
	}
	return nestedSize(len(text))
}

func appendNumber(b []byte, field protowire.Number, n int64) []byte {
	if n == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(n))
}

func numberSize(n int64) int {
	if n == 0 {
		return 0
	}
	return tagSize + protowire.SizeVarint(uint64(n))
}

func appendTime(b []byte, field protowire.Number, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	b = appendNested(b, field, stampSize(t))
	b = appendNumber(b, 1, t.Unix())
	return appendNumber(b, 2, int64(t.Nanosecond()))
}

func timeSize(t time.Time) int {
	if t.IsZero() {
		return 0
	}
	return nestedSize(stampSize(t))
}

// stampSize is that of a google.protobuf.Timestamp.
func stampSize(t time.Time) int { return numberSize(t.Unix()) + numberSize(int64(t.Nanosecond())) }
