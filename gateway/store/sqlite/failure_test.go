package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
)

// faulty is a driver's connection whose commits fail when told to.
type faulty struct {
	rawConn
	fails *atomic.Bool
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
	fails *atomic.Bool
}

func (f faultyStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if f.fails.Load() {
		return nil, errors.New("input/output error")
	}
	return f.StmtExecContext.ExecContext(ctx, args)
}

// openFaulty opens a store whose commits fail once the flag is set.
func openFaulty(t *testing.T, o Options) (*Store, *atomic.Bool) {
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
	raw, err := db.Driver().Open(s.path + "?_pragma=synchronous(2)&_pragma=wal_autocheckpoint(0)")
	if err != nil {
		t.Fatal(err)
	}
	var fails atomic.Bool
	before := s.conn
	if s.conn, err = conn.New(faulty{raw.(rawConn), &fails}); err != nil {
		t.Fatal(err)
	}
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	return s, &fails
}

// After a commit fails nothing more is acknowledged, even if the disk
// recovers: what the failed write left behind is unknown.
func TestFailedCommitEndsAcknowledging(t *testing.T) {
	dir := t.TempDir()
	s, fails := openFaulty(t, Options{Dir: dir})
	done := make(chan error, 1)
	go func() { done <- s.Run(context.Background()) }()
	if _, err := s.Append(context.Background(), benchEntry(1, nil)); err != nil {
		t.Fatal(err)
	}
	fails.Store(true)
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
	fails.Store(false)
	if _, err := s.Append(context.Background(), benchEntry(2, nil)); err == nil {
		t.Error("acknowledged after a failed commit")
	}
	<-s.Failed()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "restart needed") {
		t.Errorf("Run returned %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, shut := start(t, Options{Dir: dir})
	defer shut()
	if all, _ := s.Events(context.Background(), store.EventFilter{Page: store.Page{Limit: 9}}); len(all) != 1 {
		t.Errorf("%d events after recovery, want the acknowledged one", len(all))
	}
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

// While the disk is full later changes wait behind earlier ones.
func TestFullDiskKeepsTheOrderOfChanges(t *testing.T) {
	ctx := context.Background()
	s, shut := start(t, Options{Dir: t.TempDir()})
	defer shut()
	if _, err := s.Append(ctx, benchEntry(1, nil)); err != nil {
		t.Fatal(err)
	}
	limit := func(pages string) {
		if err := s.do(ctx, func(c *conn.Conn) error { return c.Script("PRAGMA max_page_count=" + pages) }); err != nil {
			t.Fatal(err)
		}
	}
	list, err := s.Deliveries(ctx, store.DeliveryFilter{Page: store.Page{Limit: 1}})
	if err != nil {
		t.Fatal(err)
	}
	limit("1") // that is: as many as there are
	var both sync.WaitGroup
	both.Add(2)
	s.Record(&store.Change{Delivery: list[0], State: store.Running, Claimed: true, Urgent: true, Committed: both.Done,
		Attempt: store.Attempt{Number: 1, Message: strings.Repeat("x", 1<<20)}})
	if _, err := s.Append(ctx, benchEntry(2, make([]byte, 1<<20))); !errors.Is(err, store.ErrFull) || s.Err() != nil {
		t.Fatalf("append to a full disk: %v, store %v", err, s.Err())
	}
	limit("1000000")
	s.Record(&store.Change{Delivery: list[0], State: store.Pending, Due: time.Now(), Urgent: true, Committed: both.Done})
	both.Wait()
	if got, _, err := s.Delivery(ctx, list[0].Seq); err != nil || got.State != store.Pending || got.Claimed {
		t.Errorf("an older change came last: %v claimed %v %v", got.State, got.Claimed, err)
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
	}
	err := s.do(ctx, func(c *conn.Conn) error {
		_, err := c.Exec("DELETE FROM events WHERE seq=(SELECT min(seq) FROM events)")
		if err == nil {
			_, err = c.Exec("UPDATE events SET meta='{' WHERE seq=(SELECT min(seq) FROM events)")
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

// A strict route's backlog is not sorted for a claim.
func TestClaimsSortNothing(t *testing.T) {
	s, shut := start(t, Options{Dir: t.TempDir()})
	defer shut()
	for _, inOrder := range []bool{true, false} {
		text, vals := claimSQL(store.Claim{Route: "r", Limit: 1, InOrder: inOrder, Except: []string{"k"}})
		args := make([]any, len(vals))
		for i := range vals {
			args[i] = vals[i]
		}
		err := s.rows(context.Background(), "EXPLAIN QUERY PLAN "+text, args, func(row []driver.Value) error {
			if plan := row[3].(string); strings.Contains(plan, "ORDER BY") {
				t.Errorf("in order %v: %s", inOrder, plan)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
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
