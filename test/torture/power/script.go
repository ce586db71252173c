//go:build linux && amd64

package power

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite"
	"github.com/event-gateway/gateway/test/torture/site"
	"github.com/event-gateway/gateway/test/torture/tracer"
	"github.com/event-gateway/gateway/test/torture/trial"
	"github.com/event-gateway/gateway/test/torture/trials"
)

// The script: many small events, then large ones that make the journal take
// another segment and SQLite move its log into the database.
const (
	small, large         = 150, 50
	smallSize, largeSize = 1500, 200 << 10
	scriptSenders        = 4
)

// past is what a recorded gateway did.
type past struct {
	ops []tracer.Op
	dir string
	// bodies by the events' ids, and the ids of their deliveries: the keys that
	// engines were told.
	bodies     map[string][]byte
	deliveries map[string][]int64
}

// record runs the script, with a SIGKILL and a restart in its middle, and
// writes down all that reached the disk and the senders.
func record(b *trial.Bench) (*past, error) {
	s, err := b.Site("script", site.Config)
	if err != nil {
		return nil, err
	}
	defer s.End()
	p := &past{dir: s.Path("data"), bodies: map[string][]byte{}}
	for part := range 2 {
		l, err := trials.Record(b, s, s.Path(fmt.Sprint("ops-", part)))
		if err != nil {
			return nil, err
		}
		if err := p.send(l, part); err != nil {
			return nil, err
		}
		end := l.Crash
		if part > 0 {
			end = func() error { return errors.Join(l.Settle(30*time.Second), l.Stop()) }
		}
		if err := end(); err != nil {
			return nil, err
		}
		ops, err := tracer.Read(s.Path(fmt.Sprint("ops-", part)))
		if err != nil {
			return nil, err
		}
		p.add(append(ops, cutShort(ops)...))
	}
	p.deliveries, err = deliveriesOf(p.dir)
	return p, err
}

// send sends a part of the script, each sender one event after another.
func (p *past) send(l *site.Life, part int) error {
	var all sync.WaitGroup
	var mu sync.Mutex
	var failed error
	client := site.NewClient()
	defer client.CloseIdleConnections()
	for i := range scriptSenders {
		all.Go(func() {
			for n := i; n < (small+large)/2; n += scriptSenders {
				size := smallSize
				if n >= small/2 {
					size = largeSize
				}
				id := fmt.Sprintf("event-%d-%d", part, n)
				body := site.Body(id, n, size/2+n*size/(small+large))
				a, err := l.Send(context.Background(), client, id, body)
				mu.Lock()
				p.bodies[id] = body
				if err != nil || a.Code != 202 {
					failed = fmt.Errorf("script: %s was answered %+v, %w", id, a, err)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return failed
}

// cutShort ends the writes that were under way when their process was killed:
// what there is of them in the file was written.
func cutShort(ops []tracer.Op) (ends []tracer.Op) {
	open := map[int]tracer.Op{}
	for _, op := range ops {
		if op.Ended {
			delete(open, op.ID)
		} else {
			open[op.ID] = op
		}
	}
	for id, op := range open {
		end := tracer.Op{ID: id, Kind: op.Kind, Ended: true}
		switch op.Kind {
		case tracer.Write:
			there := make([]byte, len(op.Data))
			if f, err := os.Open(op.Path); err == nil {
				_, _ = f.ReadAt(there, op.Off) // what is not there was not written
				_ = f.Close()
			}
			for int(end.Result) < len(there) && there[end.Result] == op.Data[end.Result] {
				end.Result++
			}
		case tracer.Sync:
			continue // it never was
		}
		ends = append(ends, end)
	}
	return ends
}

func (p *past) add(ops []tracer.Op) {
	last := 0
	if len(p.ops) > 0 {
		last = 1 << 30
	}
	for _, op := range ops {
		op.ID += last
		p.ops = append(p.ops, op)
	}
}

// deliveriesOf lists the ids of the deliveries in a store, by event.
func deliveriesOf(dir string) (map[string][]int64, error) {
	s, err := sqlite.Open(sqlite.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	list, err := s.Deliveries(context.Background(), store.DeliveryFilter{Page: store.Page{Limit: 1 << 20, OldestFirst: true}})
	ids := map[string][]int64{}
	for _, d := range list {
		ids[d.EventID] = append(ids[d.EventID], d.Seq)
	}
	return ids, err
}

// enough is what images may need, many times over.
const enough = 1 << 30

// memoryDir is a folder for images that is on no disk, if there is one with
// room.
func memoryDir(otherwise string) (string, error) {
	const memory = "/dev/shm"
	var fs unix.Statfs_t
	if err := unix.Statfs(memory, &fs); err == nil && fs.Bavail*uint64(fs.Bsize) > enough {
		return os.MkdirTemp(memory, "torture-power-")
	}
	return os.MkdirTemp(otherwise, "power-")
}
