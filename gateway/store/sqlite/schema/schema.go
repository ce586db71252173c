// Package schema is the tables of the embedded store, and how those of an
// older version become those of this one. The store applies it when it opens.
package schema

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/event-gateway/gateway/gateway/store/sqlite/blocks"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/ended"
)

// migration is SQL, and what has to be done after it that SQL cannot.
type migration struct {
	sql  string
	then func(*conn.Conn) error
}

// migrations are applied in order, each once; the schema's version is how
// many have been. A released one is never changed, only followed by another.
var migrations = []migration{
	// seq is an id of store.Sequence: it grows with time, so both tables are
	// only ever appended to, and the deliveries of an event are the ids that
	// follow its own. Times are Unix microseconds, 0 for none.
	{sql: `
CREATE TABLE events (
	seq          INTEGER PRIMARY KEY,
	id           TEXT NOT NULL,
	source       TEXT NOT NULL,
	type         TEXT NOT NULL,
	subject      TEXT NOT NULL,
	time         INTEGER NOT NULL,
	content_type TEXT NOT NULL,
	meta         TEXT NOT NULL,
	body         BLOB NOT NULL,
	revision     TEXT NOT NULL,
	deliveries   INTEGER NOT NULL,
	conflict     INTEGER NOT NULL,
	digest       BLOB NOT NULL,
	keys         BLOB NOT NULL
);

CREATE TABLE deliveries (
	seq        INTEGER PRIMARY KEY,
	event      INTEGER NOT NULL,
	route      TEXT NOT NULL,
	engine     TEXT NOT NULL,
	workflow   TEXT NOT NULL,
	input      BLOB,
	key        TEXT NOT NULL,
	state      INTEGER NOT NULL,
	claimed    INTEGER NOT NULL,
	due        INTEGER NOT NULL,
	attempt    INTEGER NOT NULL DEFAULT 0,
	throttled  INTEGER NOT NULL DEFAULT 0,
	first_at   INTEGER NOT NULL DEFAULT 0,
	run_id     TEXT NOT NULL DEFAULT '',
	started    INTEGER NOT NULL DEFAULT 0,
	ended      INTEGER NOT NULL DEFAULT 0,
	outcome    TEXT NOT NULL DEFAULT '',
	message    TEXT NOT NULL DEFAULT '',
	output     BLOB,
	process    TEXT NOT NULL DEFAULT ''
);
-- What may still run: small, however long the history is.
CREATE INDEX deliveries_open ON deliveries (claimed, route, due) WHERE state <= 2;

-- Attempts that did not end their delivery; the last one is in deliveries.
CREATE TABLE attempts (
	delivery INTEGER NOT NULL,
	number   INTEGER NOT NULL,
	started  INTEGER NOT NULL,
	ended    INTEGER NOT NULL,
	outcome  TEXT NOT NULL,
	message  TEXT NOT NULL,
	process  TEXT NOT NULL,
	PRIMARY KEY (delivery, number)
) WITHOUT ROWID;

-- Where to find an event by its identity or its other dedupe keys, filled behind
-- the commits. marks says up to which event.
CREATE TABLE keys (
	key    BLOB PRIMARY KEY,
	digest BLOB NOT NULL,
	event  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE sources (
	name TEXT PRIMARY KEY
) WITHOUT ROWID;
CREATE TABLE marks (
	name  TEXT PRIMARY KEY,
	value INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE schedules (
	name TEXT PRIMARY KEY,
	spec TEXT NOT NULL,
	slot INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE revisions (
	n          INTEGER PRIMARY KEY AUTOINCREMENT,
	hash       TEXT NOT NULL,
	at         INTEGER NOT NULL,
	content    BLOB NOT NULL,
	difference TEXT NOT NULL
);
`},
	// What memory had no room for, by age, for routes with strict order. What
	// comes straight from its commit is claimed and never enters this index.
	{sql: `CREATE INDEX deliveries_unclaimed ON deliveries (route) WHERE claimed = 0 AND state <= 2`},
	// What was made of the configuration while the gateway ran, oldest first.
	{sql: `
CREATE TABLE overlay (
	n    INTEGER PRIMARY KEY AUTOINCREMENT,
	name TEXT NOT NULL UNIQUE,
	text BLOB NOT NULL,
	at   INTEGER NOT NULL
)`},
	// How far schedules have come beside what they fired last.
	{sql: `
ALTER TABLE schedules ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE schedules ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;
ALTER TABLE schedules ADD COLUMN paused INTEGER NOT NULL DEFAULT 0`},
	// Why a configuration came into force, by whom, and what changed with it.
	{sql: `
ALTER TABLE revisions ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE revisions ADD COLUMN author TEXT NOT NULL DEFAULT '';
ALTER TABLE revisions ADD COLUMN changes BLOB NOT NULL DEFAULT x''`},
	// When runs of routes with a rate started, as long as that counts.
	{sql: `
CREATE TABLE starts (
	route TEXT NOT NULL,
	at    INTEGER NOT NULL
);
CREATE INDEX starts_route ON starts (route, at)`},
	// Which events are replays of others: a small part of them.
	{sql: `CREATE INDEX events_replays ON events (substr(id,1,instr(id,'~replay-')-1)) WHERE instr(id,'~replay-')>0`},
	// Which deliveries run as a part of a group.
	{sql: `
ALTER TABLE deliveries ADD COLUMN gather INTEGER NOT NULL DEFAULT 0;
CREATE INDEX deliveries_gathering ON deliveries (route) WHERE claimed = 0 AND gather = 1 AND state <= 2`},
	// Checksums of rows; zero in those of before. That of a delivery is in two
	// parts: what never changes, and the rest.
	{sql: `
ALTER TABLE events ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN state_sum INTEGER NOT NULL DEFAULT 0`},
	// Keys in runs, each a sorted set that is cut into blocks, where a row for each
	// key was. Those of the events are read again, from the first on.
	{sql: `
DROP TABLE keys;
DELETE FROM marks WHERE name='keys';
CREATE TABLE key_runs (
	id     INTEGER PRIMARY KEY AUTOINCREMENT,
	blocks INTEGER NOT NULL,
	keys   INTEGER NOT NULL,
	oldest INTEGER NOT NULL,
	newest INTEGER NOT NULL,
	filter BLOB NOT NULL,
	sum    INTEGER NOT NULL
);
CREATE TABLE key_blocks (
	id   INTEGER PRIMARY KEY,
	data BLOB NOT NULL
)`},
	// Events in blocks, where a row for each event was.
	{sql: blocks.Table, then: eventsIntoBlocks},
	// Deliveries that ended well before they came here, in blocks. Older ones stay
	// in their rows.
	{sql: ended.Table},
	// Large blocks of events beside the database. Older ones stay in it.
	{sql: blocks.Files},
}

// Migrate brings an older schema up to date and refuses a newer one.
func Migrate(c *conn.Conn) error { return migrate(c, migrations) }

func migrate(c *conn.Conn, steps []migration) error {
	version := 0
	err := c.Query("PRAGMA user_version", func(row []driver.Value) error {
		version = int(row[0].(int64))
		return nil
	})
	if err != nil {
		return err
	}
	if version > len(steps) {
		return fmt.Errorf("schema %d is newer than this gateway knows (%d): start the newer gateway", version, len(steps))
	}
	for i := version; i < len(steps); i++ {
		if err := step(c, steps[i], i+1); err != nil {
			return fmt.Errorf("migration %d: %w", i+1, err)
		}
	}
	return nil
}

func step(c *conn.Conn, m migration, version int) error {
	return c.Transact(context.Background(), func(c *conn.Conn) error {
		err := c.Script(m.sql)
		if err == nil && m.then != nil {
			err = m.then(c)
		}
		if err != nil {
			return err
		}
		return c.Script(fmt.Sprintf("PRAGMA user_version=%d", version))
	})
}
