package e2e

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"
)

// Everything at once, in any order, under load: kills of the gateway and of
// its engine, stops, reloads that are valid, broken or of a new program. The
// promises are the same. E2E_CHAOS_ACTS and E2E_SEED change it.
func TestChaos(t *testing.T) {
	t.Parallel()
	acts := fromEnv(t, "E2E_CHAOS_ACTS", 40)
	seed := fromEnv(t, "E2E_SEED", uint64(time.Now().UnixNano()))
	c := &chaos{site: newSite(t, ownEngine()), t: t, random: rand.New(rand.NewPCG(seed, 0)), done: map[string]int{}}
	t.Logf("E2E_SEED=%d E2E_CHAOS_ACTS=%d", seed, acts)
	c.program()
	c.start()
	senders := startLoad(c.site, "in", 16, time.Millisecond, false)
	for range acts {
		c.act()
		sleep(t.Context(), time.Duration(c.random.IntN(300))*time.Millisecond)
	}
	acked := senders.stop(t)
	c.write(ownEngine())
	c.program()
	c.current().stop(t)
	l := c.start()
	l.settle(t, 60*time.Second)
	notes := c.journal("journal")
	t.Logf("%v; %d engine processes, %d requests, %d without an answer", c.done, len(c.engines()), senders.sent, senders.failed)
	for _, route := range []string{"any", "ordered"} {
		auditRoute(notes, route, acked).check(t, route)
		l.undisturbed(t, route)
	}
	inOrder(t, notes, "ordered")
	l.stop(t)
	c.nothingLeft(time.Second)
}

// chaos does one thing after another to a site.
type chaos struct {
	*site
	t      *testing.T
	random *rand.Rand
	done   map[string]int
}

func (c *chaos) act() {
	acts := []struct {
		name string
		do   func()
	}{
		{"kill the gateway", func() { c.current().kill(c.t); c.nothingLeft(5 * time.Second); c.revive() }},
		{"stop the gateway", func() { c.current().stop(c.t); c.nothingLeft(time.Second); c.revive() }},
		{"kill the engine", c.killEngine},
		{"new program", func() { c.program(); c.current().reload(c.t) }},
		{"broken program", func() { c.replace(c.path("engine"), []byte("#!/bin/sh\nexit 1\n"), 0o700); c.current().reload(c.t) }},
		{"broken configuration", func() { truncate(c.site, everyEvent[:len(everyEvent)/2]) }},
		{"configuration", func() { c.write(withMarker(ownEngine())) }},
		{"SIGHUP", func() { c.current().signal(c.t, syscall.SIGHUP) }},
	}
	act := acts[c.random.IntN(len(acts))]
	c.done[act.name]++
	act.do()
}

// revive starts the gateway with a configuration that it can start with.
func (c *chaos) revive() {
	c.write(ownEngine())
	c.program()
	c.start()
}

// program puts a program in place that differs from any before.
func (c *chaos) program() {
	c.replace(c.path("engine"), program(c.t, time.Now().String()), 0o700)
}

// killEngine kills one of the engine's processes, if there are any just now.
func (c *chaos) killEngine() {
	if left := c.left(); len(left) > 0 {
		_ = syscall.Kill(left[c.random.IntN(len(left))], syscall.SIGKILL) // or it has ended since
	}
}
