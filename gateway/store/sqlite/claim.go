package sqlite

import (
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/fill"
	"github.com/event-gateway/gateway/gateway/store/sqlite/rows"
)

// Claim takes due deliveries of one route out of the store's hands: it marks
// them as held in memory and passes them to then, which must not block. It sees
// all that was committed before, and is answered in its order with Retry and
// Discard, but not with the commits of others.
func (s *Store) Claim(c store.Claim, then func(store.Claimed, error)) {
	var got store.Claimed
	var lost int
	t := &fill.Task{
		Run: func(on *conn.Conn) (err error) { got, lost, err = rows.Claim(on, c); return err },
		Done: func(err error) {
			if err != nil {
				then(store.Claimed{}, err) // they are still the store's
				return
			}
			s.open.Add(-int64(lost))
			then(got, nil)
		},
	}
	if !s.enqueue(op{task: t}) {
		then(store.Claimed{}, store.ErrFailed)
	}
}
