package dispatch

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/event-gateway/gateway/gateway/engine"
)

// lasting is a script of runs that take a time and succeed.
func lasting(d time.Duration) func(engine.Call, func(engine.Update)) {
	return func(_ engine.Call, say func(engine.Update)) {
		time.Sleep(d)
		say(engine.Update{Kind: engine.Succeeded})
	}
}

// workflows that were called, in order.
func (p *program) workflows() (names []string) {
	for _, c := range p.called() {
		names = append(names, c.Workflow)
	}
	return names
}

// When places are scarce the route of the highest priority gets all of them,
// as long as it has something that can start. Equal ones take turns.
func TestPriority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		p.script = lasting(time.Second)
		b := newBench(t, &Plan{Engines: map[string]Lane{"e": {Engine: p, InFlight: 1}}, Routes: map[string]Rule{
			"low": {Engine: "e", Workflow: "low", Priority: -1}, "a": {Engine: "e", Workflow: "a"}, "b": {Engine: "e", Workflow: "b"},
			"high": {Engine: "e", Workflow: "high", Priority: 1},
		}})
		settle(time.Second)
		send := func(route string, n int) {
			for range n {
				b.send(route, "")
			}
		}
		send("low", 3)
		settle(time.Millisecond)
		send("a", 3)
		settle(time.Millisecond)
		send("b", 3)
		send("high", 2)
		settle(3500 * time.Millisecond)
		send("high", 1)
		settle(20 * time.Second)
		want := []string{"low", "high", "high", "a", "high", "b", "a", "b", "a", "b", "low", "low"}
		if got := p.workflows(); !slices.Equal(got, want) {
			t.Errorf("ran  %v\nwant %v", got, want)
		}
		b.leftovers()
	})
}

// A route that may start nothing, because of its keys or its retries, holds
// nobody up whatever its priority; and a reload changes priorities at once.
func TestPriorityOfWhatCannotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		p.script = lasting(time.Second)
		plan := func(priority int) *Plan {
			return &Plan{Engines: map[string]Lane{"e": {Engine: p, InFlight: 2}}, Routes: map[string]Rule{
				"other": {Engine: "e", Workflow: "other"}, "keyed": {Engine: "e", Workflow: "keyed", Concurrency: 1, Priority: priority},
			}}
		}
		b := newBench(t, plan(100))
		settle(time.Second)
		for range 3 {
			b.send("keyed", "k")
			b.send("other", "")
		}
		settle(100 * time.Millisecond)
		if got, want := p.workflows(), []string{"keyed", "other"}; !slices.Equal(got, want) {
			t.Errorf("ran %v, want %v", got, want)
		}
		b.Apply(plan(-100))
		b.send("keyed", "other key")
		settle(10 * time.Second)
		// In turn for the second place are, by priority, two others and then a key.
		if got, want := p.workflows()[2:6], []string{"other", "other", "keyed", "keyed"}; !slices.Equal(got, want) {
			t.Errorf("after the reload ran %v, want %v", got, want)
		}
		b.leftovers()
	})
}
