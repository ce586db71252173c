package keys

import (
	"bytes"
	"context"
	"iter"
	"math/bits"
	"slices"

	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/keys/run"
)

const (
	// fanout is how many runs of a tier become one of the next. So a key is written
	// again a few times, and looked for in some tens of runs.
	fanout = 1 << tierBits
	// Runs of the first tier have fewer keys than smallest; each further one has
	// runs that are fanout times as large. Large runs are left as they are: sixteen
	// of them would take their room twice for a while, and as much to write.
	tierBits, smallest, large = 4, 64, 1 << 20
)

// Tidy removes the rests of runs that have left, and puts runs together where
// they are many of about one size. It does one of these at a time, and tells
// whether there was anything to do.
func (x *Index) Tidy(ctx context.Context, ask conn.Ask, do conn.Do) (did bool, err error) {
	x.work.Lock()
	defer x.work.Unlock()
	if id := x.leftover(); id != 0 {
		return true, x.remove(ctx, do, id)
	}
	if some := alike(x.written()); len(some) > 0 {
		return true, x.replace(ctx, do, some, merged(some, ask))
	}
	return false, nil
}

func (x *Index) leftover() (id int64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if len(x.rests) > 0 {
		id = x.rests[0]
	}
	return id
}

func (x *Index) remove(ctx context.Context, do conn.Do, id int64) error {
	if err := run.Remove(ctx, do, id); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.rests = slices.DeleteFunc(x.rests, func(other int64) bool { return other == id })
	return nil
}

func tier(keys int) int { return (bits.Len(uint(keys/smallest)) + tierBits - 1) / tierBits }

// alike are the newest runs up to some tier, if those of that tier are many.
func alike(runs []*run.Run) []*run.Run {
	for t := range tier(large) + 1 {
		from, many := len(runs), 0
		for from > 0 && runs[from-1].Keys < large && tier(runs[from-1].Keys) <= t {
			if from--; tier(runs[from].Keys) == t {
				many++
			}
		}
		if many >= fanout {
			return runs[from:]
		}
	}
	return nil
}

// replace writes a run of what is left of others, which leave with it.
func (x *Index) replace(ctx context.Context, do conn.Do, old []*run.Run, left iter.Seq2[run.Entry, error]) error {
	most := 0
	for _, r := range old {
		most += r.Keys
	}
	made, err := run.Write(ctx, do, most, left, func(c *conn.Conn) error { return leave(c, old) })
	x.mu.Lock()
	defer x.mu.Unlock()
	if err != nil {
		x.rest(made)
		return err
	}
	x.swap(old, made)
	return nil
}

func leave(c *conn.Conn, old []*run.Run) error {
	for _, r := range old {
		if err := r.Leave(c); err != nil {
			return err
		}
	}
	return nil
}

// swap puts new runs where old ones were. It is called with the lock.
func (x *Index) swap(old []*run.Run, made ...*run.Run) {
	at := slices.Index(x.runs, old[0])
	x.runs = slices.Replace(slices.Clone(x.runs), at, at+len(old), made...)
	for _, r := range old {
		x.rest(r)
	}
}

// merged goes through runs, oldest first, in the order of their keys; of a key
// that several have, the newest is left.
func merged(runs []*run.Run, ask conn.Ask) iter.Seq2[run.Entry, error] {
	return func(yield func(run.Entry, error) bool) {
		var readers []*run.Reader
		for _, r := range runs {
			readers = append(readers, run.NewReader(r, ask))
		}
		for {
			e, ok, err := least(readers)
			if err == nil && !ok || !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// least takes the least key from the readers that have it, and returns the entry
// of the last of them.
func least(readers []*run.Reader) (e run.Entry, found bool, err error) {
	var key []byte
	for _, r := range readers {
		k, err := r.Peek()
		if err != nil {
			return e, false, err
		}
		if k != nil && (key == nil || bytes.Compare(k, key) < 0) {
			key = k
		}
	}
	for _, r := range readers {
		if k, _ := r.Peek(); k != nil && bytes.Equal(k, key) {
			e, found = r.Next(), true
		}
	}
	return e, found, nil
}
