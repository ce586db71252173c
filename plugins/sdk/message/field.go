package message

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// tagSize is what the number of a field takes: none here is above 15.
const tagSize = 1

func appendNested(b []byte, field, size int) []byte {
	b = protowire.AppendTag(b, protowire.Number(field), protowire.BytesType)
	return protowire.AppendVarint(b, uint64(size))
}

func nestedSize(size int) int { return tagSize + protowire.SizeBytes(size) }

// What is empty or zero is left out, as in all of proto3.

func appendText[T string | []byte](b []byte, field int, text T) []byte {
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

func appendNumber(b []byte, field int, n int64) []byte {
	if n == 0 {
		return b
	}
	b = protowire.AppendTag(b, protowire.Number(field), protowire.VarintType)
	return protowire.AppendVarint(b, uint64(n))
}

func numberSize(n int64) int {
	if n == 0 {
		return 0
	}
	return tagSize + protowire.SizeVarint(uint64(n))
}

// appendTime appends a google.protobuf.Timestamp.
func appendTime(b []byte, field int, t time.Time) []byte {
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

func stampSize(t time.Time) int { return numberSize(t.Unix()) + numberSize(int64(t.Nanosecond())) }

// stamp is a google.protobuf.Timestamp that is being read.
type stamp struct {
	there   bool
	seconds int64
	nanos   int32
}

func (s *stamp) decode(b []byte) error {
	s.there = true
	f := fields{rest: b}
	for f.next() {
		switch f.tag {
		case varintField(1):
			s.seconds = int64(f.varint)
		case varintField(2):
			s.nanos = int32(f.varint)
		}
	}
	return f.err
}

func (s *stamp) time() time.Time {
	if !s.there {
		return time.Time{}
	}
	return time.Unix(s.seconds, int64(s.nanos)).UTC()
}

// fields reads a message field by field.
type fields struct {
	rest []byte
	err  error

	// The field, as bytesField or varintField has it, and its value.
	tag    uint64
	bytes  []byte
	varint uint64
}

func bytesField(n protowire.Number) uint64  { return protowire.EncodeTag(n, protowire.BytesType) }
func varintField(n protowire.Number) uint64 { return protowire.EncodeTag(n, protowire.VarintType) }

// next tells whether there is one more, and no error.
func (f *fields) next() bool {
	if len(f.rest) == 0 || f.err != nil {
		return false
	}
	number, kind, n := protowire.ConsumeTag(f.rest)
	if n < 0 {
		return f.fail(n)
	}
	f.tag, f.rest = protowire.EncodeTag(number, kind), f.rest[n:]
	switch kind {
	case protowire.BytesType:
		f.bytes, n = protowire.ConsumeBytes(f.rest)
	case protowire.VarintType:
		f.varint, n = protowire.ConsumeVarint(f.rest)
	default:
		n = protowire.ConsumeFieldValue(number, kind, f.rest)
	}
	if n < 0 {
		return f.fail(n)
	}
	f.rest = f.rest[n:]
	return true
}

func (f *fields) fail(n int) bool {
	f.err = protowire.ParseError(n)
	return false
}
