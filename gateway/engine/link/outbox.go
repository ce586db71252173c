package link

import (
	"sync"

	"github.com/event-gateway/gateway/plugins/sdk/batch"
	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
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

// queued is a command on its way, and no less than its encoded size.
type queued struct {
	command *enginev1.Command
	size    int64
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

// together makes a message of the first commands, and returns the others. The
// limit is in bytes.
func together(list []queued, limit int64) (*enginev1.RunRequest, []queued) {
	n := batch.Cut(len(list), limit, func(i int) int64 { return list[i].size })
	m := &enginev1.RunRequest{Commands: make([]*enginev1.Command, n)}
	for i := range n {
		m.Commands[i] = list[i].command
	}
	return m, list[n:]
}
