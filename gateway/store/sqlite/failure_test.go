package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/fill"
	"github.com/event-gateway/gateway/gateway/store/sqlite/journal"
)

// faulty is a driver's connection whose commits fail as they are told to.
type faulty struct {
	rawConn
	fails *atomic.Pointer[error]
}

type rawConn interface {
	driver.Conn
	driver.ExecerContext
}

func (f faulty) Prepare(sql string) (driver.Stmt, error) {
	s, err := f.rawConn.Prepare(sql)
	if err == nil && sql == "COMMIT" {
		return faultyStmt{s, s.(driver.StmtExecContext), f.fails}, nil
	}
	return s, err
}

type faultyStmt struct {
	driver.Stmt
	driver.StmtExecContext
	fails *atomic.Pointer[error]
}

func (f faultyStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if err := f.fails.Load(); err != nil {
		return nil, *err
	}
	return f.StmtExecContext.ExecContext(ctx, args)
}

// openFaulty opens a store whose transactions fail while an error is set.
func openFaulty(t *testing.T, o Options) (*Store, *atomic.Pointer[error]) {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", s.path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	raw, err := db.Driver().Open(s.path + "?_pragma=wal_autocheckpoint(0)")
	if err != nil {
		t.Fatal(err)
	}
	var fails atomic.Pointer[error]
	before := s.conn
	if s.conn, err = conn.New(faulty{raw.(rawConn), &fails}, before.Files()); err != nil {
		t.Fatal(err)
	}
	if s.fill, err = fill.New(s.conn, s.filling()); err != nil {
		t.Fatal(err)
	}
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	return s, &fails
}

// After a transaction fails nothing more is acknowledged, even if the disk
// recovers: what the failed write left behind is unknown. What was
// acknowledged before is in the journal.
func TestFailedTransactionEndsAcknowledging(t *testing.T) {
	dir := t.TempDir()
	s, fails := openFaulty(t, Options{Dir: dir})
	done := make(chan error, 1)
	go func() { done <- s.Run(context.Background()) }()
	fails.Store(&errIO)
	if _, err := s.Append(context.Background(), benchEntry(1, nil)); err != nil {
		t.Fatal(err)
	}
	answer := make(chan int, 1)
	s.Claim(store.Claim{Route: "bench", Limit: 9, Now: time.Now().Add(time.Hour)}, func(got store.Claimed, err error) {
		if err == nil {
			t.Error("a claim that did not commit succeeded")
		}
		answer <- len(got.Deliveries)
	})
	if n := <-answer; n != 0 {
		t.Errorf("%d deliveries handed over by a claim that did not commit", n)
	}
	<-s.Failed()
	fails.Store(nil)
	endsAcknowledging(t, s, done)
	checkStored(t, dir, 1)
}

var errIO = errors.New("input/output error")

// endsAcknowledging checks that a store that has failed refuses and returns.
func endsAcknowledging(t *testing.T, s *Store, done <-chan error) {
	t.Helper()
	if _, err := s.Append(context.Background(), benchEntry(99, nil)); !errors.Is(err, store.ErrFailed) {
		t.Errorf("after a failure: %v", err)
	}
	if err := <-done; err == nil || !strings.Contains(err.Error(), "restart needed") {
		t.Errorf("Run returned %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// checkStored opens a folder and counts what it has.
func checkStored(t *testing.T, dir string, want int) {
	t.Helper()
	s, shut := start(t, Options{Dir: dir})
	defer shut()
	if all, err := s.Events(context.Background(), store.EventFilter{Page: store.Page{Limit: 99}}); err != nil || len(all) != want {
		t.Errorf("%d events after recovery, want the %d acknowledged: %v", len(all), want, err)
	}
	if open := s.Stats().Open; open != int64(want) {
		t.Errorf("%d deliveries open after recovery, want %d", open, want)
	}
}

// file is a segment whose writes or syncs fail while an error is set.
type file struct {
	journal.File
	write, sync *atomic.Pointer[error]
}

func (f file) WriteAt(p []byte, off int64) (int, error) {
	if err := f.write.Load(); err != nil {
		return 0, *err
	}
	return f.File.WriteAt(p, off)
}

func (f file) Sync() error {
	if err := f.sync.Load(); err != nil {
		return *err
	}
	return f.File.Sync()
}

// faultyJournal gives a store, before it runs, a journal that can fail.
func faultyJournal(t *testing.T, s *Store) (write, sync *atomic.Pointer[error]) {
	t.Helper()
	if err := s.journal.Close(); err != nil {
		t.Fatal(err)
	}
	salt, err := s.salt()
	if err != nil {
		t.Fatal(err)
	}
	write, sync = new(atomic.Pointer[error]), new(atomic.Pointer[error])
	s.journal, err = journal.OpenWith(s.opts.Dir, salt, func(path string) (journal.File, error) {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		return file{f, write, sync}, err
	})
	if err == nil {
		err = s.journal.Replay(s.fill.Filled(), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return write, sync
}

// What could not be synced is not acknowledged, nor is anything after it.
func TestFailedSyncEndsAcknowledging(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	_, sync := faultyJournal(t, s)
	done := make(chan error, 1)
	go func() { done <- s.Run(context.Background()) }()
	if _, err := s.Append(context.Background(), benchEntry(1, nil)); err != nil {
		t.Fatal(err)
	}
	sync.Store(&errIO)
	if _, err := s.Append(context.Background(), benchEntry(2, nil)); !errors.Is(err, store.ErrFailed) || !errors.Is(err, errIO) {
		t.Errorf("acknowledged what was not synced: %v", err)
	}
	sync.Store(nil)
	endsAcknowledging(t, s, done)
	s, shut := start(t, Options{Dir: dir})
	defer shut()
	for i, want := range map[int64]bool{1: true, 99: false} {
		if _, _, err := s.EventByID(context.Background(), benchEntry(i, nil).Event.ID); (err == nil) != want {
			t.Errorf("event %d: %v", i, err)
		}
	}
}

// A full disk refuses what is new, keeps what was acknowledged and the order
// of changes, and passes.
func TestFullJournal(t *testing.T) {
	ctx := context.Background()
	s, err := Open(Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	write, _ := faultyJournal(t, s)
	done := make(chan error, 1)
	run, stop := context.WithCancel(ctx)
	go func() { done <- s.Run(run) }()
	if _, err := s.Append(ctx, benchEntry(1, nil)); err != nil {
		t.Fatal(err)
	}
	full := error(syscall.ENOSPC)
	write.Store(&full)
	list, _ := s.Deliveries(ctx, store.DeliveryFilter{Page: store.Page{Limit: 1}})
	var both sync.WaitGroup
	both.Add(2)
	s.Record(&store.Change{Delivery: list[0], State: store.Running, Claimed: true, Urgent: true, Committed: both.Done})
	if _, err := s.Append(ctx, benchEntry(2, nil)); !errors.Is(err, store.ErrFull) || s.Err() != nil {
		t.Fatalf("append to a full disk: %v, store %v", err, s.Err())
	}
	write.Store(nil)
	s.Record(&store.Change{Delivery: list[0], State: store.Pending, Due: time.Now(), Urgent: true, Committed: both.Done})
	both.Wait()
	if got, _, err := s.Delivery(ctx, list[0].Seq); err != nil || got.State != store.Pending || got.Claimed {
		t.Errorf("an older change came last: %v claimed %v %v", got.State, got.Claimed, err)
	}
	if _, err := s.Append(ctx, benchEntry(2, nil)); err != nil {
		t.Errorf("after space came back: %v", err)
	}
	stop()
	if err := errors.Join(<-done, s.Close()); err != nil {
		t.Error(err)
	}
}

// While the tables cannot be filled nothing new is accepted; what was is kept,
// shown when there is room again, and none of it is counted twice.
func TestFullTables(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	s, fails := openFaulty(t, Options{Dir: dir})
	done := make(chan error, 1)
	run, stop := context.WithCancel(ctx)
	go func() { done <- s.Run(run) }()
	full := fullError(t)
	fails.Store(&full)
	if _, err := s.Append(ctx, benchEntry(1, nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Events(ctx, store.EventFilter{}); err != nil || !s.fill.Stuck() {
		t.Fatalf("reading: %v, stuck %v", err, s.fill.Stuck())
	}
	if _, err := s.Append(ctx, benchEntry(2, nil)); !errors.Is(err, store.ErrFull) || s.Err() != nil {
		t.Fatalf("append to a full disk: %v, store %v", err, s.Err())
	}
	if _, err := s.Retry(ctx, 1); !errors.Is(err, store.ErrFull) {
		t.Errorf("a person is told %v", err)
	}
	fails.Store(nil)
	for errors.Is(s.do(ctx, func(*conn.Conn) error { return nil }), store.ErrFull) {
	}
	if _, err := s.Append(ctx, benchEntry(2, nil)); err != nil {
		t.Errorf("after space came back: %v", err)
	}
	stop()
	if err := errors.Join(<-done, s.Close()); err != nil {
		t.Error(err)
	}
	checkStored(t, dir, 2)
}

// fullError is what SQLite says when there is no room.
func fullError(t *testing.T) error {
	t.Helper()
	c, err := conn.Open(t.TempDir()+"/full.db", "_pragma=max_page_count(1)")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = c.Script("CREATE TABLE t (x)")
	if !conn.Full(err) {
		t.Fatalf("not full: %v", err)
	}
	return err
}

// A task that fails takes back what it did and nothing else, and ends nothing.
func TestTaskFailsAlone(t *testing.T) {
	s, shut := start(t, Options{Dir: t.TempDir()})
	defer shut()
	ctx, mine := context.Background(), errors.New("mine")
	err := s.do(ctx, func(c *conn.Conn) error {
		_, err := c.Exec("INSERT INTO sources (name) VALUES ('half')")
		return errors.Join(err, mine)
	})
	if !errors.Is(err, mine) {
		t.Errorf("task: %v", err)
	}
	if err := s.do(ctx, func(c *conn.Conn) error { return c.Script("SELECT nonsense") }); err == nil || s.Err() != nil {
		t.Errorf("wrong SQL: %v, store %v", err, s.Err())
	}
	if _, err := s.Append(ctx, benchEntry(1, nil)); err != nil {
		t.Errorf("append after it: %v", err)
	}
	_ = s.rows(ctx, "SELECT count(*) FROM sources WHERE name='half'", nil, func(row []driver.Value) error {
		if row[0].(int64) != 0 {
			t.Error("half a task was committed")
		}
		return nil
	})
}

// Whoever comes while the store stops is answered or refused, never left.
func TestStoppingAnswersEverybody(t *testing.T) {
	for range 30 {
		s, shut := start(t, Options{Dir: t.TempDir()})
		var wg sync.WaitGroup
		for g := range int64(32) {
			wg.Go(func() {
				for i := int64(0); ; i++ {
					if _, err := s.Append(context.Background(), benchEntry(g<<32+i, nil)); err != nil {
						break
					}
				}
				answer := make(chan error, 1)
				s.Claim(store.Claim{Route: "bench", Limit: 1}, func(_ store.Claimed, err error) { answer <- err })
				<-answer
			})
		}
		shut()
		wg.Wait()
	}
}

// What is handed over before stop returns is in the queue by then: nothing
// comes behind the writer's last look.
func TestNothingIsQueuedAfterStop(t *testing.T) {
	for range 200 {
		s := &Store{queue: make(chan op, 1<<14), closed: make(chan struct{})}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for s.enqueue(op{}) {
				}
			})
		}
		for range 100 { // until they are at it
			<-s.queue
		}
		s.stop()
		before := len(s.queue)
		wg.Wait()
		if after := len(s.queue); after != before {
			t.Fatalf("%d came after stop", after-before)
		}
	}
}

// A delivery whose event cannot be read ends; the others go on.
func TestClaimWithoutItsEvent(t *testing.T) {
	ctx := context.Background()
	s, shut := start(t, Options{Dir: t.TempDir()})
	defer shut()
	for i := range int64(3) {
		if _, err := s.Append(ctx, benchEntry(i, nil)); err != nil {
			t.Fatal(err)
		}
		if err := s.fill.Wait(ctx); err != nil { // a block for each
			t.Fatal(err)
		}
	}
	err := s.do(ctx, func(c *conn.Conn) error {
		_, err := c.Exec("DELETE FROM blocks WHERE upto=(SELECT min(upto) FROM blocks)")
		if err == nil {
			_, err = c.Exec("UPDATE blocks SET data='{' WHERE upto=(SELECT min(upto) FROM blocks)")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan int, 1)
	s.Claim(store.Claim{Route: "bench", Limit: 9, Now: time.Now()}, func(c store.Claimed, err error) {
		if err != nil {
			t.Error(err)
		}
		got <- len(c.Deliveries)
	})
	if n := <-got; n != 1 || s.Stats().Open != 1 || s.Err() != nil {
		t.Errorf("claimed %d, open %d, want 1 and 1; store %v", n, s.Stats().Open, s.Err())
	}
	dead, err := s.Deliveries(ctx, store.DeliveryFilter{States: []store.State{store.Dead}, Page: store.Page{Limit: 9}})
	if err != nil || len(dead) != 2 || !strings.Contains(dead[0].Last.Message, "cannot be read") {
		t.Errorf("dead %+v %v", dead, err)
	}
}

// What a person retries after retention has picked it stays.
func TestRetentionLeavesWhatWasRetried(t *testing.T) {
	ctx := context.Background()
	s, shut := start(t, Options{Dir: t.TempDir(), Retain: store.Retain{Dead: time.Second}})
	defer shut()
	if _, err := s.Append(ctx, benchEntry(1, nil)); err != nil {
		t.Fatal(err)
	}
	list, _ := s.Deliveries(ctx, store.DeliveryFilter{Page: store.Page{Limit: 1}})
	seq, now := list[0].Seq, time.Now()
	s.Record(&store.Change{Delivery: list[0], State: store.Dead, Attempt: store.Attempt{Number: 1, Started: now, Ended: now}})
	r, picked := s.retention(), false
	r.Do = func(ctx context.Context, run func(*conn.Conn) error) error {
		picked = true
		if _, err := s.Retry(ctx, seq); err != nil {
			t.Error(err)
		}
		return s.do(ctx, run)
	}
	if err := s.do(ctx, func(*conn.Conn) error { return nil }); err != nil { // behind the change
		t.Fatal(err)
	}
	if err := r.Round(ctx, now.Add(time.Hour)); err != nil || !picked {
		t.Fatalf("round: %v, picked %v", err, picked)
	}
	if _, _, err := s.Delivery(ctx, seq); err != nil || s.Stats().Open != 1 {
		t.Errorf("an open delivery was deleted: %v, open %d", err, s.Stats().Open)
	}
}

// Ids never come again, even if the newest rows have left and the clock is
// set back between two processes.
func TestIDsNeverComeAgain(t *testing.T) {
	ctx, o := context.Background(), Options{Dir: t.TempDir(), Retain: store.Retain{Unrouted: time.Second}}
	s, shut := start(t, o)
	e := benchEntry(1, nil)
	e.Deliveries = nil
	if _, err := s.Append(ctx, e); err != nil {
		t.Fatal(err)
	}
	conflict := benchEntry(1, nil) // has no keys: nothing else remembers its id
	conflict.Deliveries, conflict.Digest = nil, store.Digest{1}
	if _, err := s.Append(ctx, conflict); !errors.Is(err, store.ErrConflict) {
		t.Fatal(err)
	}
	all, _ := s.Events(ctx, store.EventFilter{Page: store.Page{Limit: 1}})
	if err := s.Retain(ctx, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if left, _ := s.Events(ctx, store.EventFilter{Page: store.Page{Limit: 1}}); len(left) != 0 {
		t.Fatal("the event has not left")
	}
	shut()
	s, shut = start(t, o)
	defer shut()
	if next := s.seq.Next(time.Now().Add(-time.Hour), 1); next <= all[0].Seq {
		t.Errorf("id %d after %d", next, all[0].Seq)
	}
}

func TestWALStaysBounded(t *testing.T) {
	s, shut := start(t, Options{Dir: t.TempDir()})
	defer shut()
	body := make([]byte, 16<<10)
	var next, most atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := next.Add(1); i <= 200<<20/int64(len(body)); i = next.Add(1) {
				if _, err := s.Append(context.Background(), benchEntry(i, body)); err != nil {
					t.Error(err)
					return
				}
				most.Store(max(most.Load(), fileSize(s.path+"-wal")))
			}
		})
	}
	wg.Wait()
	if most.Load() >= 160<<20 {
		t.Errorf("the WAL grew to %d MiB", most.Load()>>20)
	}
	t.Logf("WAL at most %d MiB", most.Load()>>20)
}
