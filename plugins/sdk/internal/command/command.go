// Package command reads what the gateway asks of an engine: the messages of the
// Run stream, encoded as the contract's RunRequest. Starts are many, and are
// read without the object that protobuf would make for each of their parts.
package command

import (
	"time"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// Message is what one message asks for. It is received with a [Codec], and may
// be received into again.
type Message struct {
	Commands []Command
}

// Command is a start or, when Other is not nil, something else.
type Command struct {
	Start Start
	Other *enginev1.Command
}

// Start is the contract's message of this name. What is zero was not sent.
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

// Codec is gRPC's for protobuf, but for what is received into a [Message].
type Codec struct{ encoding.CodecV2 }

// NewCodec makes a codec for a server.
func NewCodec() Codec { return Codec{encoding.GetCodecV2(proto.Name)} }

// Unmarshal keeps nothing of data.
func (c Codec) Unmarshal(data mem.BufferSlice, into any) error {
	m, ok := into.(*Message)
	if !ok {
		return c.CodecV2.Unmarshal(data, into)
	}
	whole := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer whole.Free()
	return m.decode(whole.ReadOnlyData())
}
