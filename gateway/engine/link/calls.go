package link

import "sync"

// calls are the calls in flight on one stream, by key.
type calls struct {
	mu      sync.Mutex
	byKey   map[string]*call
	waiting int           // how many of them wait for an answer
	idle    chan struct{} // closed when none but waiting ones are left; nil: nobody asked
	closed  bool
}

type call struct {
	report  func(Update)
	size    int64 // of the start message
	heard   bool  // the engine said something about it
	waiting bool
	holding bool // Attach has no answer yet: updates are held back
	held    []Update
}

// maxHeld bounds what is held back for one Attach; what is over is progress
// that nobody will miss.
const maxHeld = 1000

func (c *calls) add(key string, new *call) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrDown
	}
	if _, ok := c.byKey[key]; ok {
		return ErrInFlight
	}
	c.byKey[key] = new
	return nil
}

// remove drops a call and tells whether it was there.
func (c *calls) remove(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	old, ok := c.byKey[key]
	if ok {
		c.drop(key, old)
	}
	return ok
}

// drop is called with the lock held.
func (c *calls) drop(key string, old *call) {
	if c.byKey[key] != old {
		return
	}
	delete(c.byKey, key)
	if old.waiting {
		c.waiting--
	}
	c.signalIdle()
}

// deliver passes an update to the call's report. Only the receiver calls it,
// which keeps the updates of a call in order.
func (c *calls) deliver(key string, u Update) {
	c.mu.Lock()
	to, ok := c.byKey[key]
	if !ok {
		c.mu.Unlock()
		return // ended, forgotten, or never ours
	}
	if to.holding {
		if len(to.held) < maxHeld || u.Kind != Progress {
			to.held = append(to.held, u)
		}
		c.mu.Unlock()
		return
	}
	c.note(key, to, u.Kind)
	c.mu.Unlock()
	to.report(u)
}

// note keeps the books about an update; the lock is held.
func (c *calls) note(key string, to *call, kind UpdateKind) {
	to.heard = true
	if kind.Final() {
		c.drop(key, to)
		return
	}
	if waits := kind == Waiting; waits != to.waiting {
		to.waiting = waits
		if waits {
			c.waiting++
		} else {
			c.waiting--
		}
		c.signalIdle()
	}
}

// letGo reports what was held back for an attached call and lets further
// updates through; answer is what Get said. It tells whether the call was
// still there.
func (c *calls) letGo(key string, held *call, answer Update) bool {
	c.mu.Lock()
	if c.closed || c.byKey[key] != held {
		c.mu.Unlock()
		return false
	}
	c.note(key, held, answer.Kind)
	for len(held.held) > 0 && !c.closed {
		u := held.held[0]
		held.held = held.held[1:]
		c.note(key, held, u.Kind)
		c.mu.Unlock()
		held.report(u)
		if u.Kind.Final() {
			return true
		}
		c.mu.Lock()
	}
	held.holding, held.held = false, nil
	closed := c.closed
	c.mu.Unlock()
	if closed { // in the meantime; whoever closed has left it to us
		held.report(Update{Kind: Lost, Message: "the engine went away", Process: answer.Process})
	}
	return true
}

// answered: a waiting call goes on.
func (c *calls) answered(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if to, ok := c.byKey[key]; ok && !to.holding {
		c.note(key, to, Running)
	}
}

// close takes all calls out, for ever. Held ones are left out: their Attach
// returns an error.
func (c *calls) close() map[string]*call {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	left := c.byKey
	c.byKey = nil
	c.waiting = 0
	c.signalIdle()
	for key, to := range left {
		if to.holding {
			delete(left, key)
		}
	}
	return left
}

func (c *calls) count() (all, waiting int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.byKey), c.waiting
}

// whenIdle is closed when no call is left but those that wait for an answer.
func (c *calls) whenIdle() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle == nil {
		c.idle = make(chan struct{})
	}
	idle := c.idle
	c.signalIdle()
	return idle
}

// signalIdle is called with the lock held.
func (c *calls) signalIdle() {
	if c.idle != nil && len(c.byKey) == c.waiting {
		close(c.idle)
		c.idle = nil
	}
}
