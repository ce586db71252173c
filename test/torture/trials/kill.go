//go:build linux && amd64

// Package trials is the trials of torture that stand on processes, signals,
// system calls and full disks; see docs/reliability.md. It stands between what
// they share and the command that runs them.
package trials

import (
	"fmt"
	"time"

	"github.com/event-gateway/gateway/test/torture/site"
	"github.com/event-gateway/gateway/test/torture/trial"
)

const (
	senders = 16
	// drain is within what all that was accepted must have ended.
	drain = 20 * time.Second
	// perLife is how many events a gateway accepts at most until it is killed.
	perLife = 900
	// onAverage is how many they accept at least, one with another.
	onAverage = 350
)

// Kill kills the gateway again and again under load, at any moment, also while
// it recovers. What it acknowledged is run, under one key, and in order.
func Kill(b *trial.Bench) error {
	s, err := b.Site("kill", site.Config)
	if err != nil {
		return err
	}
	defer s.End()
	load := site.NewLoad(s, 64)
	load.Go(senders)
	defer load.Stop()
	for ; b.Tried < b.Times; b.Tries(1) {
		l, err := s.Launch()
		if err != nil {
			return err
		}
		if b.Rand.IntN(5) == 0 { // while it starts
			time.Sleep(time.Duration(b.Rand.IntN(150)) * time.Millisecond)
			l.Kill()
			continue
		}
		if err := s.Ready(l, drain); err != nil {
			return fmt.Errorf("kill %d: %w", b.Tried, err)
		}
		b.Recovered(l.Took)
		// So many events later, however fast the machine is, and at any moment.
		enough, late := max(load.Acked()+b.Rand.IntN(perLife), (b.Tried+1)*onAverage), time.Now().Add(time.Second)
		for load.Acked() < enough && time.Now().Before(late) {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(b.Rand.IntN(5000)) * time.Microsecond)
		l.Kill()
	}
	return finish(b, s, load)
}
