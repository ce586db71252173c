//go:build linux && amd64

package power

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite"
	"github.com/event-gateway/gateway/test/torture/site"
	"github.com/event-gateway/gateway/test/torture/trial"
)

const (
	// senderEvery is how many images go by until senders try one, gatewayEvery
	// until a gateway is started on one.
	senderEvery, gatewayEvery = 8, 50
)

// Lose takes the power away at every sync and every change of a folder of a
// recorded gateway's life, and looks at what is found then.
func Lose(b *trial.Bench) error {
	p, err := record(b)
	if err != nil {
		return err
	}
	dir, err := memoryDir(b.Dir)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	points := 0
	for d, i := NewDisk(p.dir), 0; i < len(p.ops); i++ {
		if d.Play(p.ops[i]) {
			points++
		}
	}
	t := &loser{Bench: b, past: p, dir: filepath.Join(dir, "data")}
	d, point := NewDisk(p.dir), 0
	for _, op := range p.ops {
		if !d.Play(op) {
			continue
		}
		point++
		for b.Tried < b.Times*point/points {
			if err := t.lose(d, point); err != nil {
				return err
			}
		}
	}
	b.Acked = len(d.answered)
	b.Extra = fmt.Sprintf("%d syncs and changes of folders, %d images, a gateway started on %d of them", points, b.Tried, t.gateways)
	return nil
}

// loser looks at one image after another.
type loser struct {
	*trial.Bench
	past     *past
	dir      string
	gateways int
}

func (t *loser) lose(d *Disk, point int) error {
	// Nothing of what was not synced, all of it, or any part.
	kept := []float64{0, 0.5, 0, 0.1, 0.9, 1}[t.Tried%6]
	image := func(to string) error {
		return errors.Join(os.RemoveAll(to), d.Image(to, Loss{Kept: kept, Rand: t.Rand}))
	}
	acked, err := ids(d.answered)
	if err != nil {
		return err
	}
	t.Tries(1)
	if t.Tried%gatewayEvery == 0 {
		t.gateways++
		err = t.start(acked, image)
	} else if err = image(t.dir); err == nil {
		err = t.open(acked)
	}
	if err != nil {
		t.Problem("power lost at point %d, with %.0f%% of what was not synced: %v", point, 100*kept, err)
	}
	return nil
}

// ids are those in the answers.
func ids(answers []string) (list []string, err error) {
	for _, text := range answers {
		var a struct {
			EventID string `json:"event_id"`
		}
		_, body, _ := strings.Cut(text, "\r\n\r\n")
		if err := json.Unmarshal([]byte(body), &a); err != nil {
			return nil, fmt.Errorf("answer %q: %w", text, err)
		}
		list = append(list, a.EventID)
	}
	return list, nil
}

// open opens the store, in which all that was acknowledged must be.
func (t *loser) open(acked []string) (err error) {
	began := time.Now()
	s, err := sqlite.Open(sqlite.Options{Dir: t.dir})
	if err != nil {
		t.Lost += len(acked)
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	t.Recovered(time.Since(began))
	list, err := t.check(s, acked)
	if err != nil || t.Tried%senderEvery != 0 || len(acked) == 0 {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	defer func() { stop(); err = errors.Join(err, <-done) }()
	return t.again(s, list[acked[t.Rand.IntN(len(acked))]])
}

// check finds every acknowledged event, whole, with its deliveries.
func (t *loser) check(s *sqlite.Store, acked []string) (map[string]*store.StoredEvent, error) {
	events, err := s.Events(context.Background(), store.EventFilter{Page: store.Page{Limit: 1 << 20}})
	if err != nil {
		return nil, err
	}
	deliveries, err := s.Deliveries(context.Background(), store.DeliveryFilter{Page: store.Page{Limit: 1 << 20, OldestFirst: true}})
	if err != nil {
		return nil, err
	}
	keys := map[string][]int64{}
	for _, d := range deliveries {
		keys[d.EventID] = append(keys[d.EventID], d.Seq)
	}
	found := map[string]*store.StoredEvent{}
	for i := range events {
		e := &events[i]
		if found[e.Event.ID] != nil {
			return nil, fmt.Errorf("event %s is there twice", e.Event.ID)
		}
		found[e.Event.ID] = e
	}
	lost := 0
	for _, id := range acked {
		e := found[id]
		switch {
		case e == nil:
			lost++
		case !bytes.Equal(e.Event.Body, t.past.bodies[id]):
			return nil, fmt.Errorf("event %s has another body", id)
		case !slices.Equal(keys[id], t.past.deliveries[id]):
			return nil, fmt.Errorf("event %s has the deliveries %v, not %v", id, keys[id], t.past.deliveries[id])
		}
	}
	if t.Lost += lost; lost > 0 {
		return nil, fmt.Errorf("%d of %d acknowledged events are lost", lost, len(acked))
	}
	return found, nil
}

// again has a sender send an event again, and another body under its id.
func (t *loser) again(s *sqlite.Store, e *store.StoredEvent) error {
	send := func(body []byte) (store.Receipt, error) {
		again := &event.Event{ID: e.Event.ID, Source: e.Event.Source, Type: e.Event.Type, Body: body}
		return s.Append(context.Background(), &store.Entry{Event: again, Digest: store.DigestOf(body)})
	}
	if r, err := send(e.Event.Body); err != nil || !r.Duplicate || r.EventID != e.Event.ID {
		return fmt.Errorf("event %s sent again: %+v, %w", e.Event.ID, r, err)
	}
	if _, err := send([]byte("another")); !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("event %s with another body: %w", e.Event.ID, err)
	}
	return nil
}

// start starts a gateway, which must do what was accepted and not done.
func (t *loser) start(acked []string, image func(to string) error) (err error) {
	s, err := t.Site("gateway", site.Config)
	if err == nil {
		err = image(s.Path("data"))
	}
	if err != nil {
		return err
	}
	defer s.End()
	l, err := s.Start()
	if err != nil {
		t.Lost += len(acked)
		return err
	}
	t.Recovered(l.Took)
	if err := errors.Join(l.Settle(30*time.Second), l.Stop()); err != nil {
		return err
	}
	found, err := sqlite.Open(sqlite.Options{Dir: s.Path("data")})
	if err != nil {
		return err
	}
	defer found.Close()
	if _, err := t.check(found, acked); err != nil {
		return err
	}
	return ended(found)
}

// ended fails when a delivery did not succeed.
func ended(s *sqlite.Store) error {
	list, err := s.Deliveries(context.Background(), store.DeliveryFilter{Page: store.Page{Limit: 1 << 20}})
	for _, d := range list {
		if d.State != store.Succeeded {
			return fmt.Errorf("delivery %s is %s", d.ID(), d.State)
		}
	}
	return err
}
