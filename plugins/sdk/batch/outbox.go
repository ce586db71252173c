package batch

import (
	"runtime"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/event-gateway/gateway/plugins/sdk/message"
	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// What may be queued before those who say more have to wait. One update may
// be larger than that.
const (
	maxQueued      = 4096
	maxQueuedBytes = 1 << 20
)

// maxSpare bounds, in bytes, what is kept to encode the next message in.
const maxSpare = 2 * MaxBytes

// Stream is where updates go; it has the [message.Codec].
type Stream interface {
	SendMsg(m any) error
}

// Outbox is what the runs of a stream have said and the connection has not
// taken yet. gRPC wants one writer at a time, and each message costs far more
// than an update: whoever finds nobody sending sends for all. A full outbox
// blocks, which is the backpressure that a run which reports too fast has to
// feel.
type Outbox struct {
	stream  Stream
	ended   func(runs int64)
	encoded message.Encoded // what was sent last, for whoever drains

	mu      sync.Mutex
	room    *sync.Cond // told when something was sent
	queue   []said
	spare   []said // the slice that is sent from, to be used again
	unsent  int    // queued, or being sent
	bytes   int64  // of those
	sending bool
	closed  bool
}

// said is an update on its way, and about its encoded size.
type said struct {
	update *enginev1.RunUpdate
	size   int64
	end    bool // of a run
}

// NewOutbox makes an outbox that tells ended how many ends of runs were just
// handed to the stream.
func NewOutbox(stream Stream, ended func(runs int64)) *Outbox {
	o := &Outbox{stream: stream, ended: ended}
	o.room = sync.NewCond(&o.mu)
	return o
}

// Send queues an update that is not the end of a run.
func (o *Outbox) Send(m *enginev1.RunUpdate) {
	if o.put(said{update: m, size: sizeOf(m)}) {
		go o.drain() // its caller is the author's code, which has better to do
	}
}

// SendEnd queues the end of a run. It may also send what others have queued:
// whoever calls it has nothing else to do.
func (o *Outbox) SendEnd(m *enginev1.RunUpdate) {
	if o.put(said{update: m, size: sizeOf(m), end: true}) {
		o.drain()
	}
}

// Close drops what is queued and lets everyone go: nobody listens any more.
func (o *Outbox) Close() {
	o.mu.Lock()
	o.closed, o.queue = true, nil
	o.mu.Unlock()
	o.room.Broadcast()
}

// put tells whether its caller is to drain the queue: nobody else does.
func (o *Outbox) put(s said) (drain bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.closed && (o.unsent >= maxQueued || o.bytes >= maxQueuedBytes) {
		o.room.Wait()
	}
	if o.closed {
		return false
	}
	o.queue = append(o.queue, s)
	o.unsent++
	o.bytes += s.size
	drain = !o.sending
	o.sending = true
	return drain
}

// drain sends what is queued until nothing is. An error is not looked at: the
// stream is over, as its reader learns too.
func (o *Outbox) drain() {
	runtime.Gosched() // runs that are about to end come along
	for rest := o.take(); len(rest) > 0; rest = o.take() {
		for len(rest) > 0 {
			n := Cut(len(rest), MaxBytes, func(i int) int64 { return rest[i].size })
			_ = o.stream.SendMsg(o.together(rest[:n]))
			o.sent(rest[:n])
			rest = rest[n:]
		}
	}
}

// take empties the queue. Nothing: the caller does not send any more.
func (o *Outbox) take() []said {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.spare)
	taken := o.queue
	o.queue, o.spare = o.spare[:0], taken
	o.sending = len(taken) > 0
	return taken
}

// together is a message of updates. Nearly all are successes; a message with any
// other is left to protobuf.
func (o *Outbox) together(list []said) any {
	encoded := o.encoded[:0]
	for i := range list {
		var ok bool
		if encoded, ok = message.AppendSuccess(encoded, list[i].update); !ok {
			return plain(list)
		}
	}
	if o.encoded = nil; cap(encoded) <= maxSpare {
		o.encoded = encoded
	}
	return encoded
}

func plain(list []said) *enginev1.RunResponse {
	m := &enginev1.RunResponse{Updates: make([]*enginev1.RunUpdate, len(list))}
	for i := range list {
		m.Updates[i] = list[i].update
	}
	return m
}

// sent keeps the books about what was handed to the stream.
func (o *Outbox) sent(list []said) {
	var ends, bytes int64
	for i := range list {
		bytes += list[i].size
		if list[i].end {
			ends++
		}
	}
	o.mu.Lock()
	o.unsent -= len(list)
	o.bytes -= bytes
	o.mu.Unlock()
	o.room.Broadcast()
	if ends > 0 {
		o.ended(ends)
	}
}

// sizeOf is quick for what most runs say, and then a little too much.
func sizeOf(m *enginev1.RunUpdate) int64 {
	if end, ok := m.Update.(*enginev1.RunUpdate_Succeeded); ok {
		const framing = 32
		return int64(framing + len(m.Key) + len(end.Succeeded.Output))
	}
	return int64(proto.Size(m))
}
