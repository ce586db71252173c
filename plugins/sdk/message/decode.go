package message

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/proto"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// All of it reads as protobuf does: of a field that comes twice the last value
// holds, of a message the parts of both, and what a later version of the contract has
// added is passed over. Text that is not UTF-8 is taken, too.

func (m *Commands) decode(b []byte) (err error) {
	*m, err = decodeAll((*m)[:0], b, "command", (*Command).decode)
	return err
}

func (m *Updates) decode(b []byte) (err error) {
	*m, err = decodeAll((*m)[:0], b, "update", (*Update).decode)
	return err
}

// decodeAll reads the first field of a message, which is repeated.
func decodeAll[T any](list []T, b []byte, what string, decode func(*T, []byte) error) ([]T, error) {
	f := fields{rest: b}
	for f.next() {
		if f.tag != bytesField(1) {
			continue
		}
		list = append(list, *new(T))
		if err := decode(&list[len(list)-1], f.bytes); err != nil {
			return list, fmt.Errorf("%s %d: %w", what, len(list), err)
		}
	}
	return list, f.err
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

// decode leaves to protobuf whatever is not a key and a success.
func (u *Update) decode(b []byte) error {
	key := fields{rest: b}
	if key.next() && key.tag == bytesField(1) {
		success := fields{rest: key.rest}
		if success.next() && success.tag == bytesField(5) && len(success.rest) == 0 {
			u.Key = string(key.bytes)
			return u.decodeSuccess(success.bytes)
		}
	}
	u.Other = &enginev1.RunUpdate{}
	return proto.Unmarshal(b, u.Other)
}

func (u *Update) decodeSuccess(b []byte) error {
	f := fields{rest: b}
	for f.next() {
		if f.tag == bytesField(1) {
			u.Output = bytes.Clone(f.bytes)
		}
	}
	return f.err
}
