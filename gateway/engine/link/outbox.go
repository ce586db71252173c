package link

import (
	"sync"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// maxOutbox bounds the starts and answers that wait to be sent.
const maxOutbox = 4096

// outbox is the queue between those who call and the one who sends.
type outbox struct {
	mu       sync.Mutex
	messages []*enginev1.RunRequest
	closed   bool
	wake     chan struct{} // one token: there is something to take
}

func newOutbox() *outbox { return &outbox{wake: make(chan struct{}, 1)} }

// put queues a message. An urgent one has a place also in a full queue:
// cancels, of which there are never more than calls.
func (o *outbox) put(m *enginev1.RunRequest, urgent bool) error {
	o.mu.Lock()
	switch {
	case o.closed:
		o.mu.Unlock()
		return ErrDown
	case len(o.messages) >= maxOutbox && !urgent:
		o.mu.Unlock()
		return ErrBusy
	}
	o.messages = append(o.messages, m)
	first := len(o.messages) == 1
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
func (o *outbox) take(used []*enginev1.RunRequest) []*enginev1.RunRequest {
	clear(used)
	o.mu.Lock()
	defer o.mu.Unlock()
	taken := o.messages
	o.messages = used[:0]
	return taken
}

func (o *outbox) close() {
	o.mu.Lock()
	o.closed, o.messages = true, nil
	o.mu.Unlock()
}
