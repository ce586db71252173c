package link

import (
	"sync"

	"github.com/event-gateway/gateway/plugins/sdk/batch"
	"github.com/event-gateway/gateway/plugins/sdk/message"
)

// maxOutbox bounds the starts and answers that wait to be sent.
const maxOutbox = 4096

// outbox is the queue between those who call and the one who sends.
type outbox struct {
	mu     sync.Mutex
	queue  []queued
	closed bool
	wake   chan struct{} // one token: there is something to take
}

// queued is a command on its way: a start, or the message of another.
type queued struct {
	start message.Start
	other message.Encoded
	size  int64 // of a message with this command only, in bytes
}

func newOutbox() *outbox { return &outbox{wake: make(chan struct{}, 1)} }

// put queues a command. An urgent one has a place also in a full queue:
// cancels, of which there are never more than calls.
func (o *outbox) put(q queued, urgent bool) error {
	o.mu.Lock()
	switch {
	case o.closed:
		o.mu.Unlock()
		return ErrDown
	case len(o.queue) >= maxOutbox && !urgent:
		o.mu.Unlock()
		return ErrBusy
	}
	o.queue = append(o.queue, q)
	first := len(o.queue) == 1
	o.mu.Unlock()
	if first {
		select {
		case o.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

// take empties the queue into the slice that it had before.
func (o *outbox) take(used []queued) []queued {
	clear(used)
	o.mu.Lock()
	defer o.mu.Unlock()
	taken := o.queue
	o.queue = used[:0]
	return taken
}

func (o *outbox) close() {
	o.mu.Lock()
	o.closed, o.queue = true, nil
	o.mu.Unlock()
}

// maxSpare bounds, in bytes, what is kept to encode the next message in.
const maxSpare = 2 * batch.MaxBytes

// encoder makes messages of commands.
type encoder struct {
	spare message.Encoded // to encode in
}

// together makes a message of the first commands; rest are the others. The limit is
// in bytes. It is to be sent before the next one is made.
func (e *encoder) together(list []queued, limit int64) (m message.Encoded, rest []queued) {
	n := batch.Cut(len(list), limit, func(i int) int64 { return list[i].size })
	m = e.spare[:0]
	for i := range n {
		if q := &list[i]; q.other != nil {
			m = append(m, q.other...)
		} else {
			m = q.start.Append(m)
		}
	}
	if e.spare = nil; cap(m) <= maxSpare {
		e.spare = m
	}
	return m, list[n:]
}
