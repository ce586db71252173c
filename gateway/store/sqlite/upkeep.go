package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
)

const (
	checkpointEvery = 100 * time.Millisecond
	diskEvery       = time.Second
	mergeEvery      = time.Second
	retainEvery     = time.Minute
	// mergeAt is how many keys in memory start a merge, mergeAge how long the
	// first of fewer waits.
	mergeAt  = 1 << 16
	mergeAge = 30 * time.Second
	// retainChunk bounds the rows that retention deletes in one transaction.
	retainChunk = 500
	// walSoft is the WAL's size, in bytes, from which it is checkpointed beside
	// the writer; walHard from which the writer helps to empty it.
	walSoft, walHard = 4 << 20, 64 << 20
)

func every(ctx context.Context, d time.Duration, do func()) {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			do()
		}
	}
}

// runCheckpoints copies the WAL into the database on a connection of its own,
// so that no caller's commit pays for it.
func (s *Store) runCheckpoints(ctx context.Context) {
	c, err := conn.Open(s.path, "_pragma=busy_timeout(1)")
	if err != nil {
		s.fail(err)
		return
	}
	defer c.Close()
	every(ctx, checkpointEvery, func() { s.checkpoint(c) })
}

func (s *Store) checkpoint(c *conn.Conn) {
	size := fileSize(s.path + "-wal")
	if size < walSoft {
		return
	}
	// PASSIVE never waits for anybody. Its errors are not a commit's: what it
	// could not copy stays in the WAL, and the next commit tells of a bad disk.
	_ = c.Script("PRAGMA wal_checkpoint(PASSIVE)")
	if size < walHard {
		return
	}
	// Under steady load new frames come while the old are copied and the WAL
	// never starts again. Between two commits, in runWriter, the rest is little.
	s.emptyWAL.Store(true)
}

// fillChunk is how many keys are read at once to learn what the table has.
const fillChunk = 4096

func (s *Store) keysAfter(ctx context.Context, after store.Key) (list []store.Key, err error) {
	err = s.rows(ctx, "SELECT key FROM keys WHERE key>? ORDER BY key LIMIT ?", []any{after[:], fillChunk}, func(row []driver.Value) error {
		list = append(list, store.Key(row[0].([]byte)))
		return nil
	})
	return list, err
}

// runMerge moves keys from memory into their table when there are many, or when
// they have been there for a while.
func (s *Store) runMerge(ctx context.Context) {
	// Without it keys are looked for in the table, which only takes longer.
	_ = s.keys.Fill(ctx, s.keysAfter)
	last := time.Now()
	every(ctx, mergeEvery, func() {
		n := s.keys.Len()
		if n >= mergeAt || n > 0 && time.Since(last) >= mergeAge {
			_ = s.keys.Merge(ctx, s.do)
			last = time.Now()
		}
	})
}

// runDisk keeps an eye on the free space.
func (s *Store) runDisk(ctx context.Context) { every(ctx, diskEvery, s.checkDisk) }

func (s *Store) checkDisk() {
	var fs unix.Statfs_t
	if err := unix.Statfs(s.opts.Dir, &fs); err != nil {
		return
	}
	free := fs.Bavail * uint64(fs.Bsize)
	s.free.Store(free)
	if free >= s.opts.MinFree {
		s.refusing.Store(nil)
		return
	}
	err := fmt.Errorf("%w: %d MiB free, store.min_free is %d MiB", store.ErrFull, free>>20, s.opts.MinFree>>20)
	s.refusing.Store(&err)
}

func (s *Store) size() uint64 {
	return uint64(fileSize(s.path) + fileSize(s.path+"-wal"))
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// runRetention deletes what is past its time, a little at a time, so that
// callers never wait long behind it.
func (s *Store) runRetention(ctx context.Context) {
	every(ctx, retainEvery, func() { _ = s.Retain(ctx, time.Now()) })
}

// expiry is one kind of thing that leaves by retention. pick selects, by the
// readers' pool, some rows that ended before ?1 (Unix microseconds); each
// statement of remove then deletes one of them.
type expiry struct {
	pick   string
	remove []string
}

// before is the oldest id to keep, from the time ?1.
const before = "((?1/1000-1577836800000)<<22)"

func (s *Store) expiries() map[time.Duration][]expiry {
	delivery := []string{"DELETE FROM attempts WHERE delivery=?", "DELETE FROM deliveries WHERE seq=?"}
	ended := func(state store.State) string {
		return fmt.Sprintf("SELECT seq FROM deliveries WHERE seq<%s AND state=%d AND ended<?1 LIMIT %d", before, state, retainChunk)
	}
	r := s.opts.Retain
	all := map[time.Duration][]expiry{}
	add := func(keep time.Duration, x expiry) { all[keep] = append(all[keep], x) }
	add(r.Succeeded, expiry{ended(store.Succeeded), delivery})
	add(r.Dead, expiry{ended(store.Dead), delivery})
	add(r.Dead, expiry{ended(store.Discarded), delivery})
	add(r.Unrouted, expiry{fmt.Sprintf(`SELECT seq FROM events e WHERE seq<%s AND NOT EXISTS
(SELECT 1 FROM deliveries d WHERE d.seq>e.seq AND d.seq<=e.seq+e.deliveries) LIMIT %d`, before, retainChunk),
		[]string{"DELETE FROM events WHERE seq=?"}})
	add(r.Dedupe, expiry{fmt.Sprintf(`SELECT key FROM keys k WHERE event<%s AND NOT EXISTS
(SELECT 1 FROM events e WHERE e.seq=k.event) LIMIT %d`, before, retainChunk),
		[]string{"DELETE FROM keys WHERE key=?"}})
	delete(all, 0)
	return all
}

// Retain deletes what is past its time at now. An event leaves when its last
// delivery has.
func (s *Store) Retain(ctx context.Context, now time.Time) error {
	for keep, list := range s.expiries() {
		for _, x := range list {
			if err := s.expire(ctx, x, now.Add(-keep)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) expire(ctx context.Context, x expiry, before time.Time) error {
	for {
		var picked []driver.Value
		err := s.rows(ctx, x.pick, []any{before.UnixMicro()}, func(row []driver.Value) error {
			picked = append(picked, row[0])
			return nil
		})
		if err != nil || len(picked) == 0 {
			return err
		}
		err = s.do(ctx, func(c *conn.Conn) error { return remove(c, x.remove, picked) })
		if err != nil {
			return err
		}
	}
}

func remove(c *conn.Conn, statements []string, picked []driver.Value) error {
	for _, v := range picked {
		for _, sql := range statements {
			if _, err := c.Exec(sql, v); err != nil {
				return err
			}
		}
	}
	return nil
}
