package link

import (
	"context"
	"fmt"
	"runtime"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/event-gateway/gateway/plugins/sdk/batch"
	"github.com/event-gateway/gateway/plugins/sdk/message"
)

// Open opens the stream that carries all runs.
func (l *Link) Open() error {
	ctx, cancel := context.WithCancel(context.Background()) // until Close
	stream, err := l.rpc.Run(ctx, grpc.ForceCodecV2(message.NewCodec()))
	if err != nil {
		cancel()
		return fmt.Errorf("run: %w", err)
	}
	l.stream, l.cancel = stream, cancel
	return nil
}

// Serve carries messages both ways until the stream ends.
func (l *Link) Serve() {
	sent := make(chan struct{})
	go func() { defer close(sent); l.send() }()
	l.receive()
	<-sent
}

// Broken is closed when the stream has ended. Calls are then to be ended with
// Lose.
func (l *Link) Broken() <-chan struct{} { return l.broken }

// Err says why the stream ended. Valid after Broken.
func (l *Link) Err() string { return status.Convert(l.err).Message() }

// Refuse takes no more messages; what waits to be sent is dropped.
func (l *Link) Refuse() { l.outbox.close() }

// Close ends the stream.
func (l *Link) Close() { l.cancel() }

// send carries commands from the outbox to the stream until it ends: what has
// gathered while the last message was sent travels together.
func (l *Link) send() {
	limit := min(batch.MaxBytes, l.maxMessage) // what any engine must take
	var taken []queued
	var encode encoder
	var m message.Encoded
	for {
		select {
		case <-l.outbox.wake:
		case <-l.broken:
			return
		}
		runtime.Gosched() // those who are about to call come along
		taken = l.outbox.take(taken)
		for rest := taken; len(rest) > 0; {
			m, rest = encode.together(rest, limit)
			if l.stream.SendMsg(m) != nil {
				return // the receiver learns why
			}
		}
	}
}

// receive carries updates from the stream to the calls until it ends.
func (l *Link) receive() {
	defer close(l.broken)
	var m message.Updates
	for {
		if l.err = l.stream.RecvMsg(&m); l.err != nil {
			return
		}
		for i := range m {
			l.hear(&m[i])
		}
		clear(m) // whoever waits for more keeps no outputs
	}
}

func (l *Link) hear(m *message.Update) {
	key, u := m.Key, Update{Kind: Succeeded, Output: m.Output}
	if m.Other != nil {
		var ok bool
		if u, ok = updateOf(m.Other); !ok {
			return
		}
		key = m.Other.GetKey()
	}
	u.Process = l.process
	if size := int64(len(u.Output) + len(u.Schema)); size > l.maxMessage {
		u = l.tooMuch(size)
	}
	l.calls.deliver(key, u)
}

// tooMuch ends a run whose answer nobody should have to keep.
func (l *Link) tooMuch(size int64) Update {
	return Update{Kind: Failed, Failure: Permanent, Process: l.process,
		Message: fmt.Sprintf("the engine sent %d bytes, at most %d are allowed", size, l.maxMessage)}
}
