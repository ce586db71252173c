package fill

import (
	"errors"
	"slices"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
)

var errEnded = errors.New("store: ended")

// Run fills until Close, or until an error that no repetition can help.
func (f *Filler) Run() (err error) {
	defer func() {
		var left []*Batch
		f.change(func() { f.ended, left, f.pages = errors.Join(errEnded, err), f.pages, nil })
		answer(left, f.ended)
	}()
	for {
		batches, last := f.next()
		if len(batches) == 0 {
			if last {
				return f.Apply(nil, true)
			}
			continue
		}
		err := f.Apply(batches, last)
		switch {
		case err == nil:
			f.settle(batches)
		case !conn.Full(err):
			return f.opts.Fail(err)
		case last:
			return nil // the journal has it
		default:
			f.stall(batches, err)
		}
	}
}

// next waits until a transaction is due and returns what goes into it. After
// Close it does not wait, and last is true.
func (f *Filler) next() (batches []*Batch, last bool) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		f.mu.Lock()
		last = f.closing
		wait := time.Until(f.due)
		if f.due.IsZero() {
			wait = time.Hour
		}
		if wait <= 0 || last {
			f.due = time.Time{}
			batches = slices.Clone(f.pages)
			f.mu.Unlock()
			return batches, last
		}
		f.mu.Unlock()
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-f.wake:
		}
	}
}

// settle forgets what the tables have now and answers its tasks.
func (f *Filler) settle(batches []*Batch) {
	f.change(func() {
		f.stuck = false
		f.gone += uint64(len(batches))
		clear(f.pages[:len(batches)])
		f.pages = f.pages[len(batches):]
		for _, b := range batches {
			f.bytes -= b.bytes
		}
	})
	answer(batches, nil)
	for _, b := range batches {
		b.recycle()
	}
}

func answer(batches []*Batch, err error) {
	for _, b := range batches {
		for _, t := range b.Tasks {
			if err == nil {
				t.Done(t.err)
			} else {
				t.Done(err)
			}
		}
		b.Tasks = nil
	}
}

// stall lets the pages wait for room on the disk; their tasks do not wait.
func (f *Filler) stall(batches []*Batch, err error) {
	f.change(func() {
		f.stuck = true
		f.hurry(time.Now().Add(againTime))
	})
	answer(batches, errors.Join(store.ErrFull, err))
}

// Apply fills the tables in one transaction, which lasts whatever happens if
// one of the tasks asks for it, if it is time again, or at the end.
func (f *Filler) Apply(batches []*Batch, last bool) error {
	lasting := last || time.Since(f.sealed) >= sealEvery
	for _, b := range batches {
		for _, t := range b.Tasks {
			lasting = lasting || t.Lasting
		}
	}
	vain, err := f.transact(batches, lasting)
	if err != nil {
		f.rows.reset()
		return err
	}
	f.opts.Vain(vain)
	if lasting {
		if err := f.opts.Release(f.unsealed); err != nil {
			return err
		}
		f.sealed = time.Now()
	}
	return f.checkpoint(batches)
}

func (f *Filler) transact(batches []*Batch, lasting bool) (vain int64, err error) {
	if err := f.conn.Script(synchronous(lasting)); err != nil {
		return 0, err
	}
	if _, err := f.conn.Exec("BEGIN IMMEDIATE"); err != nil {
		return 0, err
	}
	newest := f.unsealed
	for _, b := range batches {
		n, err := f.apply(b)
		if err != nil {
			f.conn.Rollback()
			return 0, err
		}
		vain += n
		newest = max(newest, b.Number)
	}
	if err = f.rows.flush(f.conn); err == nil {
		_, err = f.conn.Exec("INSERT OR REPLACE INTO marks (name,value) VALUES (?,?)", mark, int64(newest))
	}
	if err == nil {
		err = f.conn.Commit()
	}
	if err != nil {
		f.conn.Rollback()
		return 0, err
	}
	f.unsealed = newest
	return vain, nil
}

// synchronous: NORMAL keeps the tables whole through a power cut but may lose
// the last transactions, which the journal then has.
func synchronous(full bool) string {
	if full {
		return "PRAGMA synchronous=FULL"
	}
	return "PRAGMA synchronous=NORMAL"
}

func (f *Filler) apply(b *Batch) (vain int64, err error) {
	if vain, err = f.rows.page(f.conn, &b.Page); err != nil || len(b.Tasks) == 0 {
		return vain, err
	}
	if err := f.rows.flush(f.conn); err != nil {
		return vain, err
	}
	for _, t := range b.Tasks {
		if err := f.task(t); err != nil {
			return vain, err
		}
	}
	return vain, nil
}

// task lets a task fail by itself: only an error that tells of the disk is
// one of the whole transaction.
func (f *Filler) task(t *Task) error {
	if _, err := f.conn.Exec("SAVEPOINT task"); err != nil {
		return err
	}
	if t.err = t.Run(f.conn); t.err != nil {
		if !conn.Harmless(t.err) {
			return t.err
		}
		if _, err := f.conn.Exec("ROLLBACK TO task"); err != nil {
			return err
		}
	}
	_, err := f.conn.Exec("RELEASE task")
	return err
}

// checkpointBytes is about how much is written to the WAL between two checkpoints,
// which copy it into the database.
const checkpointBytes = 8 << 20

// leastBytes is what a transaction writes there, however little is in it: whole pages,
// of each table and index that it changes.
const leastBytes = 64 << 10

func (f *Filler) checkpoint(batches []*Batch) error {
	bytes, beside := int64(0), f.conn.Files().Kept()
	for _, b := range batches {
		bytes += int64(b.bytes)
	}
	f.unmoved += max(bytes-(beside-f.beside), leastBytes)
	f.beside = beside
	if f.unmoved < checkpointBytes {
		return nil
	}
	f.unmoved = 0
	_, err := f.conn.Checkpoint()
	return err
}
