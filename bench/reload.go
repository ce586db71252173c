//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// A reload is measured under a load that leaves the machine idle for the larger
// part: what it does to a request is seen, and not what requests do to each other.
const (
	paceEvery   = 10 * time.Millisecond
	paceSenders = 8
	reloadCount = 5
	reloadRest  = 2 * time.Second
)

// reload measures how long a reload takes in which every route changes, and the
// slowest request that met one.
func (b *bench) reload(ctx context.Context, s scenario, round int) (f figures, err error) {
	f = figures{Scenario: s.name, Round: round}
	target, dir, err := b.fresh(ctx, s, round)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, target.stop()) }()
	err = target.metered(ctx, &f, func(meter) (time.Duration, error) {
		p := pace(ctx, target.Listen)
		spans, err := b.reloads(ctx, s, dir, target.Admin)
		if err = errors.Join(err, p.stop()); err == nil {
			f.Sent = uint64(len(p.requests))
			f.tell(spans, p.requests)
		}
		return 0, err
	})
	return f, err
}

// tell puts what happened to requests into the figures.
func (f *figures) tell(reloads, requests []span) {
	var took, all []time.Duration
	for _, r := range reloads {
		took = append(took, r.took())
	}
	for _, q := range requests {
		all = append(all, q.took())
		if slices.ContainsFunc(reloads, q.meets) {
			f.Slowest = max(f.Slowest, q.took())
		} else {
			f.SlowestElse = max(f.SlowestElse, q.took())
		}
	}
	slices.Sort(took)
	slices.Sort(all)
	f.Reload, f.LongestReload = took[len(took)/2], took[len(took)-1]
	f.P50, f.P99 = all[len(all)/2], all[len(all)*99/100]
}

// span is when something was under way.
type span struct{ from, until time.Time }

func (s span) took() time.Duration { return s.until.Sub(s.from) }

func (s span) meets(other span) bool { return s.from.Before(other.until) && other.from.Before(s.until) }

// reloads changes all routes, again and again.
func (b *bench) reloads(ctx context.Context, s scenario, dir, admin string) (spans []span, err error) {
	for i := range reloadCount {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(reloadRest):
		}
		next := s
		next.config = []string{engineConfig, routeTable(s.routes, fmt.Sprintf("acme/%d", i))}
		if err := os.WriteFile(filepath.Join(dir, "next"), b.text(dir, next), 0o600); err != nil {
			return nil, err
		}
		from := time.Now()
		if err := os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, configName)); err != nil {
			return nil, err
		}
		if err := askReload(ctx, admin); err != nil {
			return nil, err
		}
		spans = append(spans, span{from, time.Now()})
	}
	return spans, nil
}

// askReload returns when what is written is in force. Perhaps the gateway has
// seen it by itself: then this waits for that.
func askReload(ctx context.Context, admin string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+admin+"/-/reload", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("reload: %s", answer.Status)
	}
	return nil
}

// paced is a load of so many requests a second.
type paced struct {
	cancel context.CancelFunc
	ended  sync.WaitGroup

	mu       sync.Mutex
	requests []span
	err      error
}

func pace(ctx context.Context, address string) *paced {
	ctx, cancel := context.WithCancel(ctx)
	p := &paced{cancel: cancel}
	for range paceSenders {
		p.ended.Go(func() {
			err := p.send(ctx, address)
			p.mu.Lock()
			p.err = errors.Join(p.err, err)
			p.mu.Unlock()
		})
	}
	return p
}

func (p *paced) stop() error {
	p.cancel()
	p.ended.Wait()
	return p.err
}

func (p *paced) send(ctx context.Context, address string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	w, buffer := newWriter(rand.Uint64(), 1), make([]byte, 4096)
	tick := time.NewTicker(paceEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		from := time.Now()
		if err := exchange(conn, w.next(), buffer); err != nil {
			return err
		}
		p.mu.Lock()
		p.requests = append(p.requests, span{from, time.Now()})
		p.mu.Unlock()
	}
}

// exchange sends a request and waits for its 202.
func exchange(conn net.Conn, request, buffer []byte) error {
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(request); err != nil {
		return err
	}
	for n := 0; ; {
		more, err := conn.Read(buffer[n:])
		if err != nil {
			return err
		}
		n += more
		if whole, accepted := parseAnswer(buffer[:n]); accepted && whole {
			return nil
		} else if whole {
			return fmt.Errorf("refused: %q", buffer[:n])
		}
	}
}
