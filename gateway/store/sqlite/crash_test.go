package sqlite

import (
	"bufio"
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
)

// crashDir tells the test binary to be the process that is killed.
const crashDir = "STORE_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		fmt.Fprintln(os.Stderr, appendForEver(dir, os.Getenv("STORE_CRASH_ROUND")))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// appendForEver prints the number of every event once it is acknowledged.
func appendForEver(dir, text string) error {
	round, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return err
	}
	k := &settler{}
	s, err := Open(Options{Dir: dir, Taker: k})
	if err != nil {
		return err
	}
	k.s = s
	k.left.Add(1 << 30)
	go func() { _ = s.Run(context.Background()) }()
	failed := make(chan error)
	for g := range int64(16) {
		go func() {
			for i := round<<32 | g<<24; ; i++ {
				if _, err := s.Append(context.Background(), benchEntry(i, []byte("{}"))); err != nil {
					failed <- err
					return
				}
				if _, err := os.Stdout.WriteString(strconv.FormatInt(i, 10) + "\n"); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

// killed runs the process on the folder, kills it at some moment, and returns
// what it had acknowledged.
func killed(t *testing.T, dir string, round int) (acknowledged []int64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir, fmt.Sprint("STORE_CRASH_ROUND=", round))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	var kill sync.Once
	for {
		line, err := lines.ReadString('\n')
		if err != nil && err != io.EOF {
			t.Fatal(err)
		}
		if err != nil {
			break // what was cut off was not acknowledged
		}
		i, err := strconv.ParseInt(line[:len(line)-1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		acknowledged = append(acknowledged, i)
		kill.Do(func() {
			time.AfterFunc(time.Duration(rand.IntN(150))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		})
	}
	_ = cmd.Wait()
	return acknowledged
}

// Every acknowledged event outlives the process, with its delivery, once.
func TestKilledProcessLosesNothing(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	var all []int64
	for round := range 10 {
		all = append(all, killed(t, dir, round+1)...)
		s, shut := start(t, Options{Dir: dir})
		checkRecovered(t, s, all)
		for _, i := range []int64{all[0], all[len(all)/2], all[len(all)-1]} {
			if r, err := s.Append(ctx, benchEntry(i, nil)); err != nil || !r.Duplicate {
				t.Errorf("round %d: event %d again: %+v %v", round, i, r, err)
			}
		}
		shut()
		if t.Failed() {
			return
		}
	}
	t.Logf("%d events acknowledged", len(all))
}

func checkRecovered(t *testing.T, s *Store, acknowledged []int64) {
	t.Helper()
	times := map[string]int{}
	query := func(sql string, each func(row []driver.Value)) {
		if err := s.rows(context.Background(), sql, nil, func(row []driver.Value) error { each(row); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	of, lacking := map[int64]int{}, 0
	deliveries, err := s.Deliveries(context.Background(), store.DeliveryFilter{Page: store.Page{Limit: math.MaxInt}})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range deliveries {
		of[d.EventSeq]++
	}
	events, err := s.Events(context.Background(), store.EventFilter{Page: store.Page{Limit: math.MaxInt}})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		times[e.Event.ID] += of[e.Seq]
		if of[e.Seq] != e.Deliveries || e.Deliveries == 0 {
			lacking++
		}
	}
	if lacking > 0 {
		t.Errorf("%d events lack deliveries", lacking)
	}
	for _, i := range acknowledged {
		if id := benchEntry(i, nil).Event.ID; times[id] != 1 {
			t.Errorf("acknowledged event %d is there %d times", i, times[id])
			return
		}
	}
	for id, n := range times {
		if n != 1 {
			t.Errorf("event %s is there %d times", id, n)
		}
	}
	query("SELECT count(*) FROM deliveries WHERE state<=2", func(row []driver.Value) {
		if open := s.Stats().Open; open != row[0].(int64) {
			t.Errorf("open %d, counted %d", open, row[0])
		}
	})
}

// Processes that are killed soon leave no more of SQLite's log than one does: the next
// start would read all of it.
func TestLogOfCrashes(t *testing.T) {
	dir, random, n := t.TempDir(), rand.NewChaCha8([32]byte{}), int64(0)
	for range 8 {
		s, shut := start(t, Options{Dir: dir})
		for range 80 {
			body := make([]byte, 64<<10)
			_, _ = random.Read(body)
			if _, err := s.Append(context.Background(), benchEntry(n, body)); err != nil {
				t.Fatal(err)
			}
			n++
		}
		if err := s.fill.Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
		killed := t.TempDir()
		copyFiles(t, dir, killed, "gateway.db", "gateway.db-wal", "journal-*")
		shut()
		dir = killed
	}
	if size := fileSize(filepath.Join(dir, fileName+"-wal")); size > 20<<20 {
		t.Errorf("%d MiB after 8 times 5", size>>20)
	}
}
