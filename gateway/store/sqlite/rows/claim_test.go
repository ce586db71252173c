package rows

import (
	"database/sql/driver"
	"path/filepath"
	"strings"
	"testing"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/schema"
)

// A route's backlog is not sorted for a claim.
func TestClaimsSortNothing(t *testing.T) {
	c, err := conn.Open(filepath.Join(t.TempDir(), "test.db"), "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := schema.Migrate(c); err != nil {
		t.Fatal(err)
	}
	for _, want := range []store.Claim{{}, {InOrder: true}, {Gather: true}} {
		want.Route, want.Limit, want.Except = "r", 1, []string{"k"}
		text, vals := claimSQL(want)
		steps := 0
		err := c.Query("EXPLAIN QUERY PLAN "+text, func(row []driver.Value) error {
			steps++
			if plan := row[3].(string); strings.Contains(plan, "ORDER BY") {
				t.Errorf("%+v: %s", want, plan)
			}
			return nil
		}, vals...)
		if err != nil || steps == 0 {
			t.Errorf("%+v: %d steps, %v", want, steps, err)
		}
	}
}
