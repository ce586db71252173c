package keys

import (
	"database/sql/driver"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
)

// Perhaps is false when a key is certainly not in the table.
func (x *Index) Perhaps(k store.Key) bool { return x.filter.perhaps(k) }

// Stored finds dedupe keys in the table. It may append to the slice.
func (x *Index) Stored(c *conn.Conn, keys []driver.Value, now time.Time) (seen map[store.Key]Place, err error) {
	err = lookup(c, keys, func(row []driver.Value) error {
		at := Place{store.Digest(row[1].([]byte)), row[2].(int64)}
		if x.inWindow(at, now) {
			if seen == nil {
				seen = map[store.Key]Place{}
			}
			seen[store.Key(row[0].([]byte))] = at
		}
		return nil
	})
	return seen, err
}

// lookup selects keys from the table, some dozens at a time; the last group
// is filled up by repeating a key, so that few statements are prepared.
func lookup(c *conn.Conn, keys []driver.Value, each func([]driver.Value) error) error {
	for len(keys) > 0 {
		n := 64
		if len(keys) <= 8 {
			n = 8
		}
		for len(keys)%n != 0 {
			keys = append(keys, keys[0])
		}
		if err := c.Query(lookupSQL(n), each, keys[:n]...); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

// lookupSQL seeks each key by itself: IN would sort them into a temporary
// index first, which costs more than the seeks.
func lookupSQL(n int) string {
	if n == 8 {
		return lookup8
	}
	return lookup64
}

const lookupOne = "SELECT key,digest,event FROM keys WHERE key=?"

var (
	lookup8  = lookupOne + strings.Repeat(" UNION ALL "+lookupOne, 7)
	lookup64 = lookupOne + strings.Repeat(" UNION ALL "+lookupOne, 63)
)
