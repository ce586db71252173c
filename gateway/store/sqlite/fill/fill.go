// Package fill brings what the journal has into SQLite's tables, a good many
// commits in one transaction and behind them. Senders never wait for it. What
// ends soon after it began becomes one row, written once. It stands beside the
// store's writer, whose pages it applies in their order.
package fill

import (
	"context"
	"database/sql/driver"
	"sync"
	"time"

	"github.com/event-gateway/gateway/gateway/store/sqlite/blocks"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
	"github.com/event-gateway/gateway/gateway/store/sqlite/record"
)

const (
	// behind is how long a page waits for others, and for the outcomes of its
	// own deliveries; lazy is what a task waits that nobody is waiting for.
	behind, lazy = 200 * time.Millisecond, 20 * time.Millisecond
	// mostBytes may wait to be filled: beyond it the writer waits instead.
	// someBytes do not wait any longer.
	mostBytes, someBytes = 48 << 20, 12 << 20
	// rowBytes is what a row costs beside its body or input.
	rowBytes = 512
	// taskBytes is what a task is taken to write.
	taskBytes = 128 << 10
	// sealEvery is how often what was filled is made to last, so that the
	// journal need not keep it.
	sealEvery = time.Second
	// againTime is how long filling waits that met a full disk.
	againTime = time.Second
)

// Batch is a page on its way to the tables.
type Batch struct {
	record.Page
	// Number in the journal; zero when the page is empty.
	Number uint64
	// Tasks run when the page has been applied.
	Tasks []*Task
	bytes int
}

var batches = sync.Pool{New: func() any { return new(Batch) }}

// NewBatch is an empty batch. The Filler takes it back when it is done with it.
func NewBatch() *Batch { return batches.Get().(*Batch) }

func (b *Batch) recycle() {
	b.Reset()
	b.Number, b.Tasks, b.bytes = 0, nil, 0
	batches.Put(b)
}

// Task is any other writing.
type Task struct {
	Run func(*conn.Conn) error
	// Done is told what became of it, after the commit.
	Done func(error)
	// Lasting: before Done what it wrote is on stable storage.
	Lasting bool
	// Lazy: nobody waits for it.
	Lazy bool
	err  error
}

// Options of a Filler. All functions must be set.
type Options struct {
	// Release is told up to which number the tables will keep the pages
	// whatever happens.
	Release func(number uint64) error
	// Vain is told how many changes ended what had ended before.
	Vain func(n int64)
	// Fail is told of an error that no repetition can help.
	Fail func(error) error
	// Unmoved is how large SQLite's log is already, in bytes.
	Unmoved int64
}

// Filler is what fills. Its methods are for everybody; Add for the writer.
type Filler struct {
	opts Options
	conn *conn.Conn
	rows collector

	mu sync.Mutex
	// pages wait or are in the transaction under way.
	pages []*Batch
	bytes int
	// due is when the next transaction begins; zero when none is called for.
	due time.Time
	// came and gone count pages.
	came, gone uint64
	// stuck: the disk is full.
	stuck, closing bool
	// ended is why Run has returned.
	ended error
	// moved is closed and made anew when gone or one of the flags changes.
	moved chan struct{}

	wake     chan struct{}
	sealed   time.Time
	unsealed uint64 // the newest number applied since
	// unmoved are the bytes written to SQLite's log since the last checkpoint, and
	// beside those that have ever gone beside it.
	unmoved, beside int64
}

// mark is the name of the number up to which the tables are filled.
const mark = "journal"

// New makes a Filler over the connection, which is its own from now on.
func New(c *conn.Conn, o Options) (*Filler, error) {
	f := &Filler{
		opts: o, conn: c, rows: collector{events: blocks.Writer{Beside: true}},
		moved: make(chan struct{}), wake: make(chan struct{}, 1), sealed: time.Now(), unmoved: o.Unmoved,
	}
	return f, c.Query("SELECT value FROM marks WHERE name=?", func(row []driver.Value) error {
		f.unsealed = uint64(row[0].(int64))
		return nil
	}, mark)
}

// Filled is the number of the newest page in the tables. It is for whoever
// replays the journal, before Run.
func (f *Filler) Filled() uint64 { return f.unsealed }

// Add hands over a page that has been logged. It does not block.
func (f *Filler) Add(b *Batch) {
	b.bytes = size(b)
	due := time.Now().Add(b.patience())
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended != nil {
		answer([]*Batch{b}, f.ended)
		return
	}
	f.pages = append(f.pages, b)
	f.bytes += b.bytes
	f.came++
	if f.bytes > someBytes {
		due = time.Now()
	}
	f.hurry(due)
}

// hurry makes the next transaction begin by a time. It is called with the lock.
func (f *Filler) hurry(due time.Time) {
	if !f.due.IsZero() && !due.Before(f.due) {
		return
	}
	f.due = due
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (b *Batch) patience() time.Duration {
	patience := behind
	for _, t := range b.Tasks {
		if !t.Lazy {
			return 0
		}
		patience = lazy
	}
	return patience
}

func size(b *Batch) int {
	n := rowBytes*(len(b.Events)+len(b.Deliveries)+len(b.Changes)) + taskBytes*len(b.Tasks)
	for i := range b.Events {
		n += len(b.Events[i].Event.Body)
	}
	for i := range b.Deliveries {
		n += len(b.Deliveries[i].Input)
	}
	for i := range b.Changes {
		n += len(b.Changes[i].Attempt.Output)
	}
	return n
}

// Find looks for an event among those that the tables do not have yet.
func (f *Filler) Find(seq int64) (e record.Event, found bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range f.pages {
		if e := b.Page.Event(seq); e != nil {
			return *e, true
		}
	}
	return e, false
}

// Wait returns when the tables have all that was added before. On a full disk
// it does not wait: what is there is shown.
func (f *Filler) Wait(ctx context.Context) error {
	f.mu.Lock()
	want := f.came
	if f.gone < want && !f.stuck {
		f.hurry(time.Now())
	}
	f.mu.Unlock()
	return f.until(ctx, func() bool { return f.gone >= want || f.stuck })
}

// Room waits until there is room for more, or the disk is full.
func (f *Filler) Room(ctx context.Context) error {
	return f.until(ctx, func() bool { return f.bytes < mostBytes || f.stuck })
}

// Stuck tells whether the disk had no room for what was to be filled.
func (f *Filler) Stuck() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stuck
}

func (f *Filler) until(ctx context.Context, so func() bool) error {
	for {
		f.mu.Lock()
		done, moved := so() || f.ended != nil, f.moved
		f.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// change changes the state that others wait for.
func (f *Filler) change(how func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how()
	close(f.moved)
	f.moved = make(chan struct{})
}

// Close makes Run return when all is filled. Nothing may be added any more.
func (f *Filler) Close() {
	f.change(func() {
		f.closing = true
		f.hurry(time.Now())
	})
}
