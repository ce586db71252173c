// Package sqlite is the embedded store. One goroutine appends whatever is
// waiting to a journal with one sync (group commit) and answers; SQLite is
// filled from it behind, and what was asked of it sees all that was answered.
// It stands between intake and dispatch.
package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/fill"
	"github.com/event-gateway/gateway/gateway/store/sqlite/folder"
	"github.com/event-gateway/gateway/gateway/store/sqlite/journal"
	"github.com/event-gateway/gateway/gateway/store/sqlite/keys"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
	"github.com/event-gateway/gateway/gateway/store/sqlite/schema"
)

// Options of a store. Zero limits mean no limit.
type Options struct {
	// Dir holds the database; it is made when absent, readable by its owner only.
	Dir string
	// Taker is offered what is committed. Nil: everything stays in the store.
	Taker store.Taker
	// MinFree is the free disk space, in bytes, below which Append refuses.
	MinFree uint64
	// MaxPending bounds the open deliveries; beyond it Append refuses.
	MaxPending int64
	// Retain is for how long ended things are kept. Zero durations: for ever.
	Retain store.Retain
}

const (
	fileName = "gateway.db"
	// queueLength bounds what waits for the writer; beyond it callers block.
	queueLength = 4096
	// rideTime is how long an outcome waits for an event's commit to ride on.
	rideTime = 3 * time.Millisecond
	// readers is how many can read at once.
	readers = 4
	// maxBatch bounds one transaction, and so how long a caller can wait, and
	// maxBatchBytes the bodies in it.
	maxBatch, maxBatchBytes = 512, 8 << 20
	// replayBytes is how much of the journal one transaction brings over at a start.
	replayBytes = 4 << 20
	// againTime is how long a change waits that met a full disk. Space comes
	// back by retention or by a person; a second is soon enough.
	againTime = time.Second
)

// Store is an open database.
type Store struct {
	opts Options
	path string
	lock *os.File
	// conn is the filler's, asking the writer's; reads are everybody's.
	conn, asking *conn.Conn
	reads        *sql.DB
	journal      *journal.Journal
	fill         *fill.Filler
	seq          store.Sequence
	keys         *keys.Index
	deciding     decider

	queue chan op
	// gate is held by those that queue something; closed: nobody may any more.
	gate      sync.RWMutex
	closed    chan struct{}
	once      sync.Once
	postponed postponed

	failure  atomic.Pointer[error]
	failed   chan struct{}
	open     atomic.Int64
	free     atomic.Uint64
	refusing atomic.Pointer[error]

	commits, entries, changes, commitNanos atomic.Uint64
}

// Open opens or creates the database in opts.Dir, brings its schema up to date
// and gives every delivery that a former process had in memory back to Claim.
// A second process on the same folder is refused.
func Open(opts Options) (*Store, error) {
	if err := folder.Make(opts.Dir); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	path, err := filepath.Abs(filepath.Join(opts.Dir, fileName))
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	s := &Store{
		opts: opts, path: path,
		queue: make(chan op, queueLength), closed: make(chan struct{}), failed: make(chan struct{}),
		keys: keys.New(opts.Retain.Dedupe),
	}
	if s.lock, err = folder.Lock(opts.Dir); err != nil {
		return nil, fmt.Errorf("store %s: %w", opts.Dir, err)
	}
	if err := s.openFiles(); err != nil {
		return nil, errors.Join(fmt.Errorf("store %s: %w", path, err), s.closeFiles())
	}
	s.checkDisk()
	return s, nil
}

func (s *Store) openFiles() (err error) {
	if s.conn, err = conn.Open(s.path, "_pragma=busy_timeout(10000)&_txlock=immediate"); err != nil {
		return err
	}
	if err := s.prepare(); err != nil {
		return err
	}
	// The driver's connections share the bound of their caches: with no room to spare,
	// as of one that hardly uses its own, readers take the filler's share of it, which
	// then reads the same pages for every row.
	if s.asking, err = conn.Open(s.path, "_pragma=busy_timeout(10000)&_pragma=query_only(1)&_pragma=cache_size(-16384)"); err != nil {
		return err
	}
	s.deciding = decider{store: s, asks: s.asking, seen: map[store.Key]keys.Place{}}
	if s.reads, err = conn.Readers(s.path, readers); err != nil {
		return err
	}
	// SQLite does so too, but does not look whether it failed.
	return errors.Join(folder.Sync(s.opts.Dir), s.integrity().First())
}

// closeFiles closes what is open of them.
func (s *Store) closeFiles() error {
	var errs []error
	if s.reads != nil {
		errs = append(errs, s.reads.Close())
	}
	for _, c := range []*conn.Conn{s.asking, s.conn} {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	if s.journal != nil {
		errs = append(errs, s.journal.Close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}

// pageSize is in force for a new database alone. SQLite's 4 KiB hold two or
// three events of 1 KiB and waste the rest; 16 KiB make each transaction write
// too much again of what changes in every one.
const pageSize = "PRAGMA page_size=8192"

// prepare sets up the filler's connection; checkpoints are its own to make.
func (s *Store) prepare() error {
	for _, pragma := range []string{
		pageSize, "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA wal_autocheckpoint=0",
		"PRAGMA cache_size=-16384", "PRAGMA temp_store=MEMORY",
	} {
		if err := s.conn.Script(pragma); err != nil {
			return fmt.Errorf("%s: %w", pragma, err)
		}
	}
	if err := schema.Migrate(s.conn); err != nil {
		return err
	}
	if err := s.replay(); err != nil {
		return err
	}
	return s.recover()
}

// replay brings into the tables what a former process had logged and not
// filled. After it the tables have all, for good: the journal begins anew.
func (s *Store) replay() (err error) {
	if s.fill, err = fill.New(s.conn, s.filling()); err != nil {
		return err
	}
	salt, err := s.salt()
	if err != nil {
		return err
	}
	if s.journal, err = journal.Open(s.opts.Dir, salt); err != nil {
		return err
	}
	var some []*fill.Batch
	size := 0
	err = s.journal.Replay(s.fill.Filled(), func(number uint64, payload []byte) error {
		page, err := record.Read(payload)
		if err != nil {
			return err
		}
		some, size = append(some, &fill.Batch{Page: *page, Number: number}), size+len(payload)
		if size < replayBytes {
			return nil
		}
		err = s.fill.Apply(some, false)
		some, size = some[:0], 0
		return err
	})
	if err != nil {
		return err
	}
	return s.fill.Apply(some, true)
}

func (s *Store) filling() fill.Options {
	return fill.Options{
		Release: func(number uint64) error { return s.journal.Release(number) },
		Vain:    func(n int64) { s.open.Add(n) },
		Fail:    s.fail,
		// What processes that were killed have left there is read at every start.
		Unmoved: fileSize(s.path + "-wal"),
	}
}

// salt of the journal's records: so that they belong to this database alone. A
// new one goes into the database itself at once: with a log of SQLite's that
// cannot be read, none of them could.
func (s *Store) salt() (salt uint32, err error) {
	made, err := s.conn.Exec("INSERT OR IGNORE INTO marks (name,value) VALUES ('salt',?)", int64(rand.Uint32()))
	if err == nil && made > 0 {
		_, err = s.conn.Checkpoint()
	}
	if err != nil {
		return 0, err
	}
	return salt, s.conn.Query("SELECT value FROM marks WHERE name='salt'", func(row []driver.Value) error {
		salt = uint32(row[0].(int64))
		return nil
	})
}

// recover finds where ids and counts stood, and unclaims what a former
// process had claimed. Both use the index of open deliveries.
func (s *Store) recover() error {
	newest := func(row []driver.Value) error {
		if seq, ok := row[0].(int64); ok {
			s.seq.After(seq)
		}
		return nil
	}
	for _, of := range []string{"max(upto) FROM blocks", "max(seq) FROM deliveries", "max(value) FROM marks WHERE name IN ('newest','keys')"} {
		if err := s.conn.Query("SELECT "+of, newest); err != nil {
			return err
		}
	}
	if _, err := s.conn.Exec("UPDATE deliveries SET claimed=0 WHERE claimed=1 AND state<=2"); err != nil {
		return err
	}
	if err := s.keys.Load(s.conn); err != nil {
		return err
	}
	return s.conn.Query("SELECT count(*) FROM deliveries WHERE state<=2", func(row []driver.Value) error {
		s.open.Store(row[0].(int64))
		return nil
	})
}

// Durability tells what a commit survives.
func (s *Store) Durability() store.Durability { return "sqlite: journal synced at every commit" }

// Path of the database file.
func (s *Store) Path() string { return s.path }

// Failed is closed when a commit has failed: nothing is acknowledged after
// that, and the process should end. Err then says why.
func (s *Store) Failed() <-chan struct{} { return s.failed }

// Err is the failure that ended acknowledging; nil while all is well.
func (s *Store) Err() error {
	if p := s.failure.Load(); p != nil {
		return *p
	}
	return nil
}

func (s *Store) fail(err error) error {
	err = fmt.Errorf("%w: %w", store.ErrFailed, err)
	if s.failure.CompareAndSwap(nil, &err) {
		close(s.failed)
	}
	return s.Err()
}

// Run writes, fills, measures the disk and retains until ctx ends; then it
// finishes what is queued. It returns the failure of a commit at once.
func (s *Store) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	for _, part := range []func(context.Context){s.runDisk, s.retention().Run, s.runKeys, s.runCheck} {
		wg.Go(func() { part(ctx) })
	}
	wg.Go(func() {
		select {
		case <-s.failed:
			stop()
		case <-ctx.Done():
		}
	})
	wg.Go(func() { _ = s.fill.Run() }) // its failure is the store's
	s.runWriter(ctx)
	s.fill.Close()
	stop()
	wg.Wait()
	return s.Err()
}

// Close releases the files. Run must have returned, or never have been called.
func (s *Store) Close() error {
	s.stop()
	b := batch{Batch: fill.NewBatch()}
	for len(s.queue) > 0 {
		s.add(&b, <-s.queue)
	}
	s.answer(&b, store.ErrFailed)
	return s.closeFiles()
}

// Stats measures the store.
func (s *Store) Stats() store.Stats {
	st := store.Stats{
		Commits: s.commits.Load(), Entries: s.entries.Load(), Changes: s.changes.Load(),
		CommitTime: time.Duration(s.commitNanos.Load()),
		Open:       s.open.Load(), Free: s.free.Load(), Size: s.size(),
	}
	if err := s.refuse(); err != nil {
		st.Refusing = err.Error()
	}
	return st
}

// refuse tells why nothing new is accepted now; nil when it is.
func (s *Store) refuse() error {
	if err := s.Err(); err != nil {
		return err
	}
	if p := s.refusing.Load(); p != nil {
		return *p
	}
	if s.fill.Stuck() {
		return store.ErrFull
	}
	if s.opts.MaxPending > 0 && s.open.Load() >= s.opts.MaxPending {
		return store.ErrBacklog
	}
	return nil
}
