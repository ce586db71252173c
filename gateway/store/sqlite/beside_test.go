package sqlite

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
)

// appendUnlike appends events that do not compress.
func appendUnlike(t *testing.T, s *Store, from, to int64) {
	t.Helper()
	for i := from; i < to; i++ {
		body := make([]byte, 8<<10)
		_, _ = rand.NewChaCha8([32]byte{byte(i), byte(i >> 8)}).Read(body)
		if _, err := s.Append(context.Background(), benchEntry(i, body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.fill.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func beside(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "events-*"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// A store is backed up while it runs: the database first, then what lies beside it.
func TestBackup(t *testing.T) {
	dir, backup := t.TempDir(), t.TempDir()
	s, shut := start(t, Options{Dir: dir})
	defer shut()
	appendUnlike(t, s, 0, 200)
	behind(t, dir, "VACUUM INTO '"+filepath.Join(backup, fileName)+"'")
	appendUnlike(t, s, 200, 300)
	copyFiles(t, dir, backup, "events-*")
	if len(beside(t, backup)) == 0 {
		t.Error("nothing lies beside the database")
	}
	restored, shutRestored := start(t, Options{Dir: backup})
	defer shutRestored()
	if all, err := restored.Events(context.Background(), store.EventFilter{Page: store.Page{Limit: 999}}); err != nil || len(all) != 200 {
		t.Errorf("%d events restored, %v", len(all), err)
	}
}

// What lies beside the database leaves with its events.
func TestBesideLeaves(t *testing.T) {
	dir := t.TempDir()
	s, shut := start(t, Options{Dir: dir, Retain: store.Retain{Unrouted: time.Hour, Succeeded: time.Hour, Dead: time.Hour, Dedupe: time.Hour}})
	defer shut()
	s.conn.Files().FileSize = 256 << 10
	appendUnlike(t, s, 0, 200)
	full, size := len(beside(t, dir)), s.Stats().Size
	if _, err := s.conn.Exec("UPDATE deliveries SET state=3, ended=1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Retain(context.Background(), time.Now().Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n := len(beside(t, dir)); full < 4 || n != 1 {
		t.Errorf("%d files beside the database became %d", full, n)
	}
	if left := s.Stats().Size; left > size-uint64(full-2)*(256<<10) {
		t.Errorf("%d bytes became %d", size, left)
	}
}

// SQLite's log is moved into the database also where all that is large goes beside it,
// and is more than bodies alone would tell.
func TestLogBeside(t *testing.T) {
	dir := t.TempDir()
	s, shut := start(t, Options{Dir: dir})
	defer shut()
	for i := range int64(1500) {
		header := make([]byte, 24<<10)
		_, _ = rand.NewChaCha8([32]byte{byte(i), byte(i >> 8)}).Read(header)
		e := benchEntry(i, nil)
		e.Event.Headers = map[string]string{"large": string(header)}
		if _, err := s.Append(context.Background(), e); err != nil {
			t.Fatal(err)
		}
		if err := s.fill.Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if size := fileSize(filepath.Join(dir, fileName+"-wal")); size > 24<<20 {
		t.Errorf("SQLite's log has %d MiB", size>>20)
	}
}
