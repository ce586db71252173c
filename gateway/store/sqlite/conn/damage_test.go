package conn

import (
	"database/sql/driver"
	"errors"
	"path/filepath"
	"testing"
)

// A value that the disk has made another is told, and what follows goes on; a
// mistake of another kind stays one.
func TestDamagedValues(t *testing.T) {
	c, err := Open(filepath.Join(t.TempDir(), "test.db"), "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for name, read := range map[string]func(driver.Value){
		"of another kind":   func(v driver.Value) { _ = v.([]byte) },
		"of another length": func(v driver.Value) { _ = [16]byte([]byte(v.(string))) },
	} {
		err := c.Query("SELECT 'text'", func(row []driver.Value) error { read(row[0]); return nil })
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.Query("SELECT 1", func([]driver.Value) error { return nil }); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("an index out of range is taken for damage")
		}
	}()
	_ = c.Query("SELECT 1", func(row []driver.Value) error { _ = row[len(row)]; return nil })
}
