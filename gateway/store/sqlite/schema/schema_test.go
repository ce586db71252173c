package schema

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/blocks"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/pack"
)

// oldRows are events as they were rows, with what may be empty and what may not.
const oldRows = `INSERT INTO events (seq,id,source,type,subject,time,content_type,meta,body,revision,deliveries,conflict,digest,keys) VALUES
(100,'a','/s','t','',7,'','',x'','r',0,1,x'00000000000000000000000000000001',x''),
(200,'b~replay-1','/s','t','u',7,'text/plain','{"headers":{"h":"1"},"query":{"q":"2"},"extensions":{"x":"3"}}',x'00ff','r',3,0,x'00000000000000000000000000000002',x'30313233343536373839616263646566')`

// rowsUpTo is the last version whose events were rows.
const rowsUpTo = 10

func checkEvents(t *testing.T, c *conn.Conn) {
	t.Helper()
	at := time.UnixMicro(7).UTC()
	want := []store.StoredEvent{
		{Seq: 200, Revision: "r", Deliveries: 3, Event: &event.Event{
			ID: "b~replay-1", Source: "/s", Type: "t", Subject: "u", Time: at, ContentType: "text/plain", Body: []byte{0, 0xff},
			Headers: map[string]string{"h": "1"}, Query: map[string]string{"q": "2"}, Extensions: map[string]string{"x": "3"},
		}},
		{Seq: 100, Revision: "r", Conflict: true, Event: &event.Event{ID: "a", Source: "/s", Type: "t", Time: at, Body: []byte{}}},
	}
	all, err := blocks.List(pack.Of(c), store.EventFilter{Page: store.Page{Limit: 9}})
	if diff := cmp.Diff(want, all, cmpopts.IgnoreUnexported(event.Event{})); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	replays, err := blocks.List(pack.Of(c), store.EventFilter{Page: store.Page{Limit: 9}, ReplayOf: "b"})
	if diff := cmp.Diff(want[:1], replays, cmpopts.IgnoreUnexported(event.Event{})); diff != "" || err != nil {
		t.Errorf("replays: %v (-want +got):\n%s", err, diff)
	}
	keys := map[int64]string{}
	_, _, err = blocks.Keys(c, 0, func(seq int64, digest store.Digest, list []byte) { keys[seq] = fmt.Sprint(digest[15], string(list)) })
	if diff := cmp.Diff(map[int64]string{100: "1", 200: "20123456789abcdef"}, keys); diff != "" || err != nil {
		t.Errorf("keys: %v (-want +got):\n%s", err, diff)
	}
}

// What is damaged does not become sound by being moved: whoever starts is told.
func TestDamagedIsNotMoved(t *testing.T) {
	c, err := conn.Open(filepath.Join(t.TempDir(), "test.db"), "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := migrate(c, migrations[:rowsUpTo]); err != nil {
		t.Fatal(err)
	}
	if err := c.Script(oldRows + ";UPDATE events SET sum=1 WHERE seq=200"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Migrate(c); !errors.Is(err, conn.ErrDamaged) {
			t.Errorf("migrated: %v", err)
		}
	}
	if err := c.Script("UPDATE events SET sum=0"); err != nil {
		t.Fatal(err)
	}
	if err := Migrate(c); err != nil {
		t.Fatal(err)
	}
	checkEvents(t, c)
}

// Every older schema becomes this one, and keeps what it had.
func TestMigrate(t *testing.T) {
	for version := 1; version <= len(migrations); version++ {
		c, err := conn.Open(filepath.Join(t.TempDir(), "test.db"), "")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := migrate(c, migrations[:version]); err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		if _, err := c.Exec("INSERT INTO schedules (name,spec,slot) VALUES ('nightly','30 2 * * *',7)"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Exec(oldRows); version <= rowsUpTo && err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time there is nothing to do
			if err := Migrate(c); err != nil {
				t.Fatalf("from version %d: %v", version, err)
			}
		}
		if _, err := c.Exec("INSERT INTO overlay (name,text,at) VALUES ('routes.a',x'00',1)"); err != nil {
			t.Errorf("from version %d: %v", version, err)
		}
		if _, err := c.Exec("INSERT INTO overlay (name,text,at) VALUES ('routes.a',x'00',1)"); err == nil {
			t.Errorf("from version %d: two entries of one name", version)
		}
		if _, err := c.Exec("INSERT INTO starts (route,at) VALUES ('a',1)"); err != nil {
			t.Errorf("from version %d: %v", version, err)
		}
		kept := 0
		err = c.Query("SELECT slot FROM schedules", func([]driver.Value) error { kept++; return nil })
		if err != nil || kept != 1 {
			t.Errorf("from version %d: %d of 1 rows kept: %v", version, kept, err)
		}
		if version <= rowsUpTo {
			checkEvents(t, c)
		}
	}
}
