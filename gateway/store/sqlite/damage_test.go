package sqlite

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/rows"
)

// filled makes a store of a few events and closes it.
func filled(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s, shut := start(t, Options{Dir: dir})
	for i := range int64(50) {
		if _, err := s.Append(context.Background(), benchEntry(i, bytes.Repeat([]byte{byte(i)}, 500))); err != nil {
			t.Fatal(err)
		}
		if i%10 == 9 { // their block
			if err := s.fill.Wait(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Retain(context.Background(), time.Now()); err != nil {
		t.Fatal(err)
	}
	shut()
	return dir
}

// behind changes a store's tables as a disk would: nobody knows.
func behind(t *testing.T, dir, sql string) {
	t.Helper()
	c, err := conn.Open(filepath.Join(dir, fileName), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Script(sql), c.Close()); err != nil {
		t.Fatal(err)
	}
}

// What is not as it was written is never served: neither in a list nor to an
// engine. Whose event is damaged becomes a dead letter that says so.
func TestDamagedRows(t *testing.T) {
	events := func(s *Store) error {
		_, err := s.Events(context.Background(), store.EventFilter{Page: store.Page{Limit: 99}})
		return err
	}
	deliveries := func(s *Store) error {
		_, err := s.Deliveries(context.Background(), store.DeliveryFilter{Page: store.Page{Limit: 99}})
		return err
	}
	for sql, read := range map[string]func(*Store) error{
		"UPDATE blocks SET data=x'00' WHERE upto=(SELECT min(upto) FROM blocks)":            events,
		"UPDATE blocks SET events=x'00' WHERE upto=(SELECT min(upto) FROM blocks)":          events,
		"UPDATE blocks SET upto=upto+1 WHERE upto=(SELECT max(upto) FROM blocks)":           events,
		"UPDATE blocks SET sum='a' WHERE upto=(SELECT min(upto) FROM blocks)":               events,
		"UPDATE deliveries SET route='b' WHERE seq=(SELECT max(seq) FROM deliveries)":       deliveries,
		"UPDATE deliveries SET attempt=3 WHERE seq=(SELECT max(seq) FROM deliveries)":       deliveries,
		"UPDATE deliveries SET state_sum=x'00' WHERE seq=(SELECT max(seq) FROM deliveries)": deliveries,
	} {
		dir := filled(t)
		behind(t, dir, sql)
		s, shut := start(t, Options{Dir: dir})
		if err := read(s); !errors.Is(err, rows.ErrDamaged) {
			t.Errorf("after %s: %v", sql, err)
		}
		shut()
	}
}

func TestDamagedEventIsADeadLetter(t *testing.T) {
	dir := filled(t)
	behind(t, dir, "UPDATE blocks SET data=x'00' WHERE upto=(SELECT min(upto) FROM blocks)")
	s, shut := start(t, Options{Dir: dir})
	defer shut()
	claimed := make(chan store.Claimed, 1)
	s.Claim(store.Claim{Route: "bench", Limit: 99, Now: time.Now()}, func(c store.Claimed, err error) {
		if err != nil {
			t.Error(err)
		}
		claimed <- c
	})
	sound := len((<-claimed).Deliveries)
	if sound < 40 || sound == 50 {
		t.Errorf("%d deliveries claimed, want all but those of a damaged block", sound)
	}
	dead, err := s.Deliveries(context.Background(), store.DeliveryFilter{States: []store.State{store.Dead}, Page: store.Page{Limit: 99}})
	if err != nil || len(dead) != 50-sound || !strings.Contains(dead[0].Last.Message, "damaged on disk") {
		t.Errorf("dead letters: %+v, %v", dead, err)
	}
}

// What has been accepted is not new because it can no longer be read.
func TestRepeatOfADamagedEvent(t *testing.T) {
	dir := filled(t)
	behind(t, dir, "UPDATE blocks SET data=x'00'")
	s, shut := start(t, Options{Dir: dir})
	defer shut()
	if r, err := s.Append(context.Background(), benchEntry(7, nil)); !r.Duplicate || err != nil {
		t.Errorf("repeated: %+v, %v", r, err)
	}
}

// A page that has lost a row is noticed at the start.
func TestDamagedPage(t *testing.T) {
	dir := filled(t)
	path := filepath.Join(dir, fileName)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const page, cells = 8192, 3
	damaged := 0
	for at := page; at < len(file); at += page {
		if file[at] == 13 && file[at+cells+1] > 1 { // a leaf of a table
			file[at+cells+1]--
			damaged++
		}
	}
	if err := os.WriteFile(path, file, 0o600); err != nil || damaged == 0 {
		t.Fatalf("%d pages damaged, %v", damaged, err)
	}
	if s, err := Open(Options{Dir: dir}); !errors.Is(err, rows.ErrDamaged) {
		t.Errorf("opened: %v", err)
		if err == nil {
			_ = s.Close()
		}
	}
}

// SQLite's log may be lost to a damage; the journal still has all, and can be
// read without it.
func TestJournalOutlivesTheLogOfSQLite(t *testing.T) {
	dir, copied := t.TempDir(), t.TempDir()
	s, shut := start(t, Options{Dir: dir})
	defer shut()
	for i := range int64(9) {
		if _, err := s.Append(context.Background(), benchEntry(i, nil)); err != nil {
			t.Fatal(err)
		}
	}
	copyFiles(t, dir, copied, "gateway.db", "journal-*") // and not gateway.db-wal
	checkStored(t, copied, 9)
}
