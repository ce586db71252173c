package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/event-gateway/gateway/gateway/store/sqlite/fill"
)

// copyFiles copies the files of a store that match.
func copyFiles(t *testing.T, from, to string, patterns ...string) {
	t.Helper()
	for _, pattern := range patterns {
		paths, _ := filepath.Glob(filepath.Join(from, pattern))
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(filepath.Join(to, filepath.Base(path)), data, 0o600)
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
}

// A power cut may take all of SQLite's writing since it was last made to last.
// The journal still has it: it lets nothing go before.
func TestPowerCut(t *testing.T) {
	dir, cut := t.TempDir(), t.TempDir()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	var seals atomic.Int32
	var copying sync.Mutex // a cut is at one moment
	filling := s.filling()
	release := filling.Release
	filling.Release = func(number uint64) error {
		copying.Lock()
		defer copying.Unlock()
		seals.Add(1)
		copyFiles(t, dir, cut, "gateway.db", "gateway.db-wal")
		return release(number)
	}
	if s.fill, err = fill.New(s.conn, filling); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	acknowledged := appendUntil(t, s, func() bool { return seals.Load() >= 2 })
	// Here the power is cut: what follows reaches only the first folder.
	copying.Lock()
	copyFiles(t, dir, cut, "journal-*")
	copying.Unlock()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	after, shut := start(t, Options{Dir: cut})
	defer shut()
	checkRecovered(t, after, acknowledged)
	t.Logf("%d acknowledged", len(acknowledged))
}

// appendUntil appends from several goroutines and returns what was acknowledged.
func appendUntil(t *testing.T, s *Store, enough func() bool) (acknowledged []int64) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for g := range int64(8) {
		wg.Go(func() {
			for i := g << 32; !enough(); i++ {
				if _, err := s.Append(context.Background(), benchEntry(i, make([]byte, 4<<10))); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				acknowledged = append(acknowledged, i)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return acknowledged
}
