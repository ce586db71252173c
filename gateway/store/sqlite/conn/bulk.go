package conn

import (
	"database/sql/driver"
	"fmt"
	"strings"
)

// Bulk is one multi-row statement in several prepared sizes: inserting 32
// rows at once costs a fraction of inserting 32 times one.
type Bulk struct {
	before, row string
	columns     int
	sizes       []int
	sql         map[int]string
}

// NewBulk makes a statement of what stands before its rows, and of a row, in
// which each ? is a value.
func NewBulk(before, row string) *Bulk {
	b := &Bulk{
		before: before, row: row, columns: strings.Count(row, "?"),
		sizes: []int{64, 16, 4, 1},
		sql:   map[int]string{},
	}
	for _, n := range b.sizes {
		b.sql[n] = fmt.Sprint(b.before, strings.TrimSuffix(strings.Repeat(b.row+",", n), ","))
	}
	return b
}

// Exec runs the statement over all rows; vals holds them one after another.
func (b *Bulk) Exec(c *Conn, vals []driver.Value) error {
	for _, n := range b.sizes {
		for width := n * b.columns; len(vals) >= width; vals = vals[width:] {
			if _, err := c.Exec(b.sql[n], vals[:width]...); err != nil {
				return err
			}
		}
	}
	return nil
}
