package sqlite

import (
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/fill"
	"github.com/event-gateway/gateway/gateway/store/sqlite/rows"
)

// pendingClaim is a claim on its way through the tables.
type pendingClaim struct {
	got  store.Claimed
	lost int
	then func(store.Claimed, error)
	done chan error
}

// Claim takes due deliveries of one route out of the store's hands: it marks
// them as held in memory and passes them to then, which is called by the
// writer after the commit and must not block. The writer waits for it: whoever
// is told of commits and claims is told in their order.
func (s *Store) Claim(want store.Claim, then func(store.Claimed, error)) {
	c := &pendingClaim{then: then, done: make(chan error, 1)}
	t := &fill.Task{
		Run:  func(on *conn.Conn) (err error) { c.got, c.lost, err = rows.Claim(on, want); return err },
		Done: func(err error) { c.done <- err },
	}
	if !s.enqueue(op{task: t, claim: c}) {
		then(store.Claimed{}, store.ErrFailed)
	}
}

// tell answers a claim when the tables have.
func (c *pendingClaim) tell(s *Store) {
	if err := <-c.done; err != nil {
		c.then(store.Claimed{}, err) // they are still the store's
		return
	}
	s.open.Add(-int64(c.lost))
	c.then(c.got, nil)
}
