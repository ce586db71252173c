package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/integrity"
	"github.com/event-gateway/gateway/gateway/store/sqlite/retain"
)

const (
	diskEvery  = time.Second
	mergeEvery = time.Second
	// mergeAt is how many keys in memory start a merge, mergeAge how long the
	// first of fewer waits.
	mergeAt  = 1 << 17
	mergeAge = 30 * time.Second
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

// fillChunk is how many keys are read at once to learn what the table has.
const fillChunk = 4096

func (s *Store) keysAfter(ctx context.Context, after store.Key) (list []store.Key, err error) {
	err = s.query(ctx, "SELECT key FROM keys WHERE key>? ORDER BY key LIMIT ?", []any{after[:], fillChunk}, func(row []driver.Value) error {
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
			_ = s.keys.Merge(ctx, s.lazily)
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

func (s *Store) integrity() integrity.Check {
	return integrity.Check{Size: fileSize(s.path), Read: s.query}
}

// runCheck looks at what was too large for the start. A file that is damaged
// takes nothing more.
func (s *Store) runCheck(ctx context.Context) { s.integrity().Later(ctx, s.fail) }

func (s *Store) size() uint64 {
	return uint64(fileSize(s.path) + fileSize(s.path+"-wal") + s.journal.Size())
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// Retain deletes what is past its time at now. An event leaves when its last
// delivery has.
func (s *Store) Retain(ctx context.Context, now time.Time) error {
	return s.retention().Round(ctx, now)
}

func (s *Store) retention() *retain.Rounds {
	return &retain.Rounds{Keep: s.opts.Retain, Read: s.query, Do: s.lazily}
}
