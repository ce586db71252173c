package command

import (
	"bytes"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

func (m *Message) decode(b []byte) error {
	m.Commands = m.Commands[:0]
	f := fields{rest: b}
	for f.next() {
		if f.tag != bytesField(1) {
			continue
		}
		m.Commands = append(m.Commands, Command{})
		if err := m.Commands[len(m.Commands)-1].decode(f.bytes); err != nil {
			return fmt.Errorf("command %d: %w", len(m.Commands), err)
		}
	}
	return f.err
}

// decode leaves to protobuf whatever is not a start and nothing else.
func (c *Command) decode(b []byte) error {
	f := fields{rest: b}
	if f.next() && f.tag == bytesField(1) && len(f.rest) == 0 {
		return c.Start.decode(f.bytes)
	}
	m := &enginev1.Command{}
	if err := proto.Unmarshal(b, m); err != nil {
		return err
	}
	start, ok := m.Command.(*enginev1.Command_Start)
	if !ok {
		c.Other = m
		return nil
	}
	b, err := proto.Marshal(start.Start)
	if err != nil {
		return err
	}
	return c.Start.decode(b)
}

// What follows reads as protobuf does: of a field that comes twice the last
// value holds, of a message the parts of both, and what a later version of the
// contract has added is passed over.

func (s *Start) decode(b []byte) error {
	var at, deadline, first stamp
	f := fields{rest: b}
	for f.next() {
		switch f.tag {
		case bytesField(1):
			s.Key = string(f.bytes)
		case bytesField(2):
			s.Workflow = string(f.bytes)
		case bytesField(3):
			f.err = s.Event.decode(f.bytes, &at)
		case bytesField(4):
			s.Input = bytes.Clone(f.bytes)
		case varintField(5):
			s.Attempt = int(int32(f.varint))
		case bytesField(6):
			f.err = deadline.decode(f.bytes)
		case bytesField(7):
			f.err = first.decode(f.bytes)
		}
	}
	s.Event.Time, s.Deadline, s.FirstAttemptAt = at.time(), deadline.time(), first.time()
	return f.err
}

func (e *Event) decode(b []byte, at *stamp) error {
	f := fields{rest: b}
	for f.next() {
		switch f.tag {
		case bytesField(1):
			e.ID = string(f.bytes)
		case bytesField(2):
			e.Source = string(f.bytes)
		case bytesField(3):
			e.Type = string(f.bytes)
		case bytesField(4):
			e.Subject = string(f.bytes)
		case bytesField(5):
			f.err = at.decode(f.bytes)
		case bytesField(6):
			e.ContentType = string(f.bytes)
		case bytesField(7):
			e.Body = bytes.Clone(f.bytes)
		case bytesField(8):
			e.Data = bytes.Clone(f.bytes)
		case bytesField(9):
			f.err = decodeAttribute(&e.Headers, f.bytes)
		case bytesField(10):
			f.err = decodeAttribute(&e.Query, f.bytes)
		case bytesField(11):
			f.err = decodeAttribute(&e.Extensions, f.bytes)
		}
	}
	return f.err
}

func decodeAttribute(all *map[string]string, b []byte) error {
	var name, value string
	f := fields{rest: b}
	for f.next() {
		switch f.tag {
		case bytesField(1):
			name = string(f.bytes)
		case bytesField(2):
			value = string(f.bytes)
		}
	}
	if *all == nil {
		*all = make(map[string]string)
	}
	(*all)[name] = value
	return f.err
}

// stamp is a google.protobuf.Timestamp.
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
