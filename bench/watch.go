//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// status is what the benchmark reads of the gateway's own report.
type status struct {
	Store struct {
		Pending int64 `json:"pending"`
		Entries int64 `json:"entries"`
		Commits int64 `json:"commits"`
	} `json:"store"`
	Intake struct {
		Accepted   int64 `json:"accepted"`
		Duplicates int64 `json:"duplicates"`
		Conflicts  int64 `json:"conflicts"`
		Unrouted   int64 `json:"unrouted"`
	} `json:"intake"`
	Engines []struct {
		PID      int `json:"pid"`
		Restarts int `json:"restarts"`
	} `json:"engines"`
}

// settled counts events that wait for nothing any more: their deliveries'
// outcomes are on the disk.
func (s *status) settled() int64 { return s.Store.Entries - s.Store.Pending }

func readStatus(ctx context.Context, admin string) (*status, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/api/v1/status", nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status: %s", answer.Status)
	}
	s := &status{}
	return s, json.NewDecoder(answer.Body).Decode(s)
}

// sample is how much had settled at a time.
type sample struct {
	at      time.Time
	settled int64
}

// watcher reads how much has settled, all the time.
type watcher struct {
	gate    *gate
	admin   string
	stop    chan struct{}
	ended   chan error
	samples []sample
}

// Asking takes the gateway about 100 µs: half a percent of its time.
const watchEvery = 20 * time.Millisecond

// watch begins to read; with nobody to ask, the gate stands open.
func (g *gate) watch(ctx context.Context, admin string) *watcher {
	w := &watcher{gate: g, admin: admin, stop: make(chan struct{}), ended: make(chan error, 1)}
	if admin == "" {
		g.settled.Store(1 << 62)
		w.ended <- nil
		return w
	}
	go func() { w.ended <- w.run(ctx) }()
	return w
}

func (w *watcher) run(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		s, err := readStatus(ctx, w.admin)
		if err != nil {
			return err
		}
		w.samples = append(w.samples, sample{time.Now(), s.settled()})
		w.gate.settled.Store(s.settled())
		select {
		case <-w.stop:
			if w.gate.settled.Load() >= w.gate.sent.Load() {
				return nil
			}
		default:
		}
		<-tick.C
	}
}

// drain waits until all that was sent has settled.
func (w *watcher) drain(ctx context.Context) ([]sample, error) {
	close(w.stop)
	select {
	case err := <-w.ended:
		return w.samples, err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(2 * time.Minute):
		return nil, errors.New("drain: not everything settles")
	}
}

// settled is the rate between the samples that are next to from and until.
func settled(samples []sample, from, until time.Time) float64 {
	var first, last *sample
	for i := range samples {
		s := &samples[i]
		if first == nil && !s.at.Before(from) {
			first = s
		}
		if !s.at.After(until) {
			last = s
		}
	}
	if first == nil || last == nil || !last.at.After(first.at) {
		return 0
	}
	return float64(last.settled-first.settled) / last.at.Sub(first.at).Seconds()
}

// engine is the engine's process, 0 without one.
func (s *status) engine() int {
	if len(s.Engines) == 0 {
		return 0
	}
	return s.Engines[0].PID
}

func (s *status) restarts() (n int) {
	for _, e := range s.Engines {
		n += e.Restarts
	}
	return n
}
