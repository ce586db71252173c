// Package message encodes and reads the messages of the Run stream, for the SDK and
// the gateway: on the wire they are protobuf's, the contract's RunRequest and
// RunResponse. What nearly all of them carry, starts and successes, takes a way of
// its own here, without the object that protobuf makes for every part of a message.
package message

import (
	"time"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// Commands are what a RunRequest asks for. They may be received into again.
type Commands []Command

// Command is a start or, when Other is not nil, something else.
type Command struct {
	Start Start
	Other *enginev1.Command
}

// Start is the contract's message of this name. What is zero is not sent.
type Start struct {
	Key            string
	Workflow       string
	Event          Event
	Input          []byte
	Attempt        int
	Deadline       time.Time
	FirstAttemptAt time.Time
}

// Event is the contract's message of this name.
type Event struct {
	ID, Source, Type, Subject  string
	Time                       time.Time
	ContentType                string
	Body, Data                 []byte
	Headers, Query, Extensions map[string]string
}

// Updates are what a RunResponse tells. They may be received into again.
type Updates []Update

// Update is the success of a run or, when Other is not nil, something else.
type Update struct {
	Key    string
	Output []byte
	Other  *enginev1.RunUpdate
}

// Encoded is a RunRequest or a RunResponse as it is sent.
type Encoded []byte

// Codec is gRPC's for protobuf, but for the types of this package.
type Codec struct{ encoding.CodecV2 }

// NewCodec makes a codec for a server or a call.
func NewCodec() Codec { return Codec{encoding.GetCodecV2(proto.Name)} }

// Name is none: the content type stays what it is without a codec of ours.
func (Codec) Name() string { return "" }

// Marshal takes [Encoded], too. Its bytes may be used again.
func (c Codec) Marshal(m any) (mem.BufferSlice, error) {
	if b, ok := m.(Encoded); ok {
		return mem.BufferSlice{mem.Copy(b, mem.DefaultBufferPool())}, nil
	}
	return c.CodecV2.Marshal(m)
}

// Unmarshal takes pointers to [Commands] and [Updates], too. They keep nothing of
// data.
func (c Codec) Unmarshal(data mem.BufferSlice, into any) error {
	m, ok := into.(interface{ decode(b []byte) error })
	if !ok {
		return c.CodecV2.Unmarshal(data, into)
	}
	whole := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer whole.Free()
	return m.decode(whole.ReadOnlyData())
}
