package ended

import (
	"errors"
	"slices"
	"sort"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/pack"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
)

// Find finds a delivery; it is nil if it is not here.
func Find(ask conn.Ask, seq int64) (d *store.Delivery, err error) {
	var r pack.Reader
	err = r.Find(pack.From{Ask: ask}, table, seq, func(stored []byte) (err error) {
		d, err = read(stored)
		return err
	})
	return d, err
}

func read(stored []byte) (*store.Delivery, error) {
	d, err := record.ReadSucceeded(stored)
	if err != nil {
		return nil, errors.Join(conn.ErrDamaged, err)
	}
	return d, nil
}

// List finds the deliveries that a filter selects, of those that are here.
func List(ask conn.Ask, f store.DeliveryFilter) (list []*store.Delivery, err error) {
	if f.Limit <= 0 || len(f.States) > 0 && !slices.Contains(f.States, store.Succeeded) {
		return nil, nil
	}
	err = table.Scan(pack.From{Ask: ask}, pack.RangeOf(f.Page), func(stored []byte) (more bool, err error) {
		route, engine, err := record.ReadParty(stored)
		if err != nil || f.Route != "" && f.Route != string(route) || f.Engine != "" && f.Engine != string(engine) {
			return true, err
		}
		d, err := read(stored)
		list = append(list, d)
		return len(list) < f.Limit, err
	})
	return list, err
}

// Stretch tells which of some ids are of deliveries that are here.
type Stretch struct {
	seqs []int64
	// lost are those of damaged blocks: after one id, up to another, any may be here.
	lost [][2]int64
}

// Between is the stretch after one id, up to another.
func Between(ask conn.Ask, after, to int64) (s Stretch, err error) {
	for at, more := after, true; more && err == nil; {
		more, err = table.Outlines(ask, at, func(b *pack.Block) bool {
			for _, m := range b.Marks {
				s.seqs = append(s.seqs, m.Seq)
			}
			if b.Err != nil {
				s.lost = append(s.lost, [2]int64{at, b.Upto})
			}
			at = b.Upto
			return at < to
		})
	}
	return s, err
}

// Has tells whether there may be any between two ids.
func (s *Stretch) Has(after, before int64) bool {
	i := sort.Search(len(s.seqs), func(i int) bool { return s.seqs[i] > after })
	return i < len(s.seqs) && s.seqs[i] < before ||
		slices.ContainsFunc(s.lost, func(l [2]int64) bool { return l[1] > after && l[0]+1 < before })
}
