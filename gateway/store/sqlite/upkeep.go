package sqlite

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/blocks"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/integrity"
	"github.com/event-gateway/gateway/gateway/store/sqlite/keys"
	"github.com/event-gateway/gateway/gateway/store/sqlite/retain"
)

const (
	diskEvery = time.Second
	keysEvery = 200 * time.Millisecond
	// keysAge is how long keys that are not many stay in memory alone.
	keysAge = 30 * time.Second
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

// runKeys moves keys from memory into the database when there are many, or when
// they have been there for a while, and tidies up there.
func (s *Store) runKeys(ctx context.Context) {
	last := time.Now()
	every(ctx, keysEvery, func() {
		n := s.keys.Len()
		if n >= keys.Many || n > 0 && time.Since(last) >= keysAge {
			_ = s.keys.Move(ctx, s.lazily) // what could not be moved is tried again
			last = time.Now()
		}
		for did, err := true, error(nil); did && err == nil; {
			did, err = s.keys.Tidy(ctx, s.asker(ctx), s.lazily)
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
	return uint64(fileSize(s.path) + fileSize(s.path+"-wal") + s.journal.Size() + s.conn.Files().Size())
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
	return &retain.Rounds{
		Keep: s.opts.Retain, Read: s.query, Do: s.lazily,
		Events: func(ctx context.Context, do conn.Do, before int64) error {
			if err := blocks.Expire(ctx, s.asker(ctx), do, before); err != nil {
				return err
			}
			return blocks.Sweep(s.from(ctx))
		},
		Move: func(ctx context.Context) error { return s.keys.Move(ctx, s.lazily) },
		Expire: func(ctx context.Context, now time.Time) error {
			return s.keys.Expire(ctx, s.asker(ctx), s.lazily, now)
		},
	}
}
