package schema

import (
	"database/sql/driver"
	"path/filepath"
	"testing"

	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
)

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
	}
}
