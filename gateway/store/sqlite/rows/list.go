package rows

import (
	"cmp"
	"database/sql/driver"
	"slices"
	"strings"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/ended"
)

// List finds the deliveries that a filter selects, whether they are in rows or in
// blocks: both questions must see the same state of the tables.
func List(ask conn.Ask, f store.DeliveryFilter) ([]*store.Delivery, error) {
	if f.Limit <= 0 {
		return nil, nil
	}
	list, err := ended.List(ask, f)
	if err != nil {
		return nil, err
	}
	sql, vals := listSQL(f)
	err = ask(sql, func(row []driver.Value) error {
		d, err := Delivery(row)
		list = append(list, d)
		return err
	}, vals...)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b *store.Delivery) int {
		if f.OldestFirst {
			a, b = b, a
		}
		return cmp.Compare(b.Seq, a.Seq)
	})
	return list[:min(len(list), f.Limit)], nil
}

func listSQL(f store.DeliveryFilter) (sql string, vals []driver.Value) {
	w := Where{Seq: "d.seq", Terms: []string{"1"}}
	w.Page(f.Page)
	if f.Route != "" {
		w.Add("d.route=?", f.Route)
	}
	if f.Engine != "" {
		w.Add("d.engine=?", f.Engine)
	}
	if len(f.States) > 0 {
		marks := strings.Repeat(",?", len(f.States))
		w.Terms = append(w.Terms, "d.state IN ("+marks[1:]+")")
		for _, state := range f.States {
			w.Args = append(w.Args, int64(state))
		}
	}
	for _, arg := range w.Args {
		vals = append(vals, arg)
	}
	return "SELECT " + DeliveryColumns + " FROM deliveries d" + w.SQL() + " ORDER BY " + w.Order(f.Page) + " LIMIT ?", append(vals, int64(f.Limit))
}

// Find finds one delivery; it is nil if it is not there. packed tells that it is in a
// block, where nothing changes: see Unpack.
func Find(c *conn.Conn, seq int64) (d *store.Delivery, packed bool, err error) {
	err = c.Query("SELECT "+DeliveryColumns+" FROM deliveries d WHERE seq=?", func(row []driver.Value) error {
		d, err = Delivery(row)
		return err
	}, seq)
	if d != nil || err != nil {
		return d, false, err
	}
	d, err = ended.Find(c.Query, seq)
	return d, d != nil, err
}

// Unpack moves a delivery from its block into a row.
func Unpack(c *conn.Conn, d *store.Delivery) error {
	if err := ended.Remove(c, d.Seq); err != nil {
		return err
	}
	var row Inserter
	row.Add(d)
	return row.Flush(c)
}
