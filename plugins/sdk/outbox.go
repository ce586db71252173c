package sdk

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
	"github.com/event-gateway/gateway/plugins/sdk/wire"
)

// stream is one connection's Run call: where updates go.
type stream struct {
	pending atomic.Int64  // runs that will still report here
	idle    chan struct{} // told when pending may have become 0
	ended   bool          // guarded by runs.mu
	out     enginev1.EngineService_RunServer
	outbox  outbox
}

func newStream(out enginev1.EngineService_RunServer) *stream {
	st := &stream{idle: make(chan struct{}, 1), out: out}
	st.outbox.room.L = &st.outbox.mu
	return st
}

// send queues an update that is not the end of a run. It may block; see
// outbox.
func (st *stream) send(m *enginev1.RunUpdate) {
	if st != nil && st.outbox.put(report{update: m, size: sizeOf(m)}) {
		go st.drain() // the author's code is not to do it
	}
}

// sendEnd queues the end of a run, which has left when it is sent. It may
// also send what others have queued: whoever calls it has nothing else to do.
func (st *stream) sendEnd(m *enginev1.RunUpdate) {
	if st != nil && st.outbox.put(report{update: m, size: sizeOf(m), end: true}) {
		st.drain()
	}
}

// drain sends what is queued until nothing is. An error is not looked at: the
// stream is over, as its reader learns too.
func (st *stream) drain() {
	runtime.Gosched() // runs that are about to end come along
	for rest := st.outbox.take(); len(rest) > 0; rest = st.outbox.take() {
		for len(rest) > 0 {
			n := wire.Together(len(rest), wire.MaxTogetherBytes, func(i int) int64 { return rest[i].size })
			_ = st.out.Send(together(rest[:n]))
			st.sent(rest[:n])
			rest = rest[n:]
		}
	}
}

func together(list []report) *enginev1.RunResponse {
	m := &enginev1.RunResponse{Updates: make([]*enginev1.RunUpdate, len(list))}
	for i := range list {
		m.Updates[i] = list[i].update
	}
	return m
}

// sent keeps the books about what was handed to the connection.
func (st *stream) sent(list []report) {
	var ends, size int64
	for i := range list {
		size += list[i].size
		if list[i].end {
			ends++
		}
	}
	st.outbox.sent(len(list), size)
	st.left(ends)
}

// over is called with runs.mu held. A message can be read from a stream that
// is cancelled already, whose place another one may have taken.
func (st *stream) over() bool {
	return st != nil && (st.ended || st.out.Context().Err() != nil)
}

// left: so many runs will not report here any more.
func (st *stream) left(runs int64) {
	if st != nil && runs > 0 && st.pending.Add(-runs) == 0 {
		select {
		case st.idle <- struct{}{}:
		default:
		}
	}
}

// wait blocks until every run has reported or ctx ends.
func (st *stream) wait(ctx context.Context) {
	for st.pending.Load() > 0 {
		select {
		case <-st.idle:
		case <-ctx.Done():
			return
		}
	}
}

// What may be queued before those who say more have to wait. One update may
// be larger than that.
const (
	maxQueued      = 4096
	maxQueuedBytes = 1 << 20
)

// outbox is what the runs of a stream have said and the connection has not
// taken yet. gRPC wants one writer at a time, and each message costs far more
// than an update: whoever finds nobody sending sends for all. A full queue
// blocks, which is the backpressure that a run which reports too fast has to
// feel.
type outbox struct {
	mu      sync.Mutex
	room    sync.Cond // told when something was sent
	queue   []report
	spare   []report // the slice that is sent from, to be used again
	unsent  int      // queued, or being sent
	bytes   int64    // of those
	sending bool
	closed  bool
}

// report is an update on its way, and about its encoded size.
type report struct {
	update *enginev1.RunUpdate
	size   int64
	end    bool // of a run
}

// put queues an update, and tells whether its caller is to drain the queue:
// nobody else does.
func (o *outbox) put(r report) (drain bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.closed && (o.unsent >= maxQueued || o.bytes >= maxQueuedBytes) {
		o.room.Wait()
	}
	if o.closed {
		return false
	}
	o.queue = append(o.queue, r)
	o.unsent++
	o.bytes += r.size
	drain = !o.sending
	o.sending = true
	return drain
}

// take empties the queue. Nothing: the caller does not send any more.
func (o *outbox) take() []report {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.spare)
	taken := o.queue
	o.queue, o.spare = o.spare[:0], taken
	o.sending = len(taken) > 0
	return taken
}

func (o *outbox) sent(n int, bytes int64) {
	o.mu.Lock()
	o.unsent -= n
	o.bytes -= bytes
	o.mu.Unlock()
	o.room.Broadcast()
}

// close drops what is queued and lets everyone go: nobody listens any more.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed, o.queue = true, nil
	o.mu.Unlock()
	o.room.Broadcast()
}

// sizeOf is quick for what most runs say, and then a little too much.
func sizeOf(m *enginev1.RunUpdate) int64 {
	if end, ok := m.Update.(*enginev1.RunUpdate_Succeeded); ok {
		const framing = 32
		return int64(framing + len(m.Key) + len(end.Succeeded.Output))
	}
	return int64(proto.Size(m))
}
