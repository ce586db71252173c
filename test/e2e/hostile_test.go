package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"
)

// underSiege has a webhook that is attacked, and one that anybody on this
// machine may send to, where nothing ever does: what arrives there was smuggled
// in.
const underSiege = `
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: {path: ./data}
engines:
  main:
    plugin: ENGINE
    env: {GATEWAY_TEST_PIDS: DIR/out/pids}
    config: {journal: DIR/out/journal}
webhooks:
  hook: {scheme: github, secrets: ["${env:E2E_SECRET}"]}
  trap: {scheme: none}
  small: {scheme: none, max_body: 64KiB}
routes:
  all: {events: ["github.*"], run: main/note}
`

// What the gateway promises while it is attacked.
const (
	maxGoodP99    = 250 * time.Millisecond
	maxGrowth     = 64 << 20
	leastAttempts = 5000
)

// Hostile traffic costs nothing but its own connection: beside it, good traffic
// is answered as fast, memory stays where it was in the busiest hour, and
// nothing breaks. It runs alone: it measures time.
func TestHostileTraffic(t *testing.T) {
	s := newSite(t, underSiege)
	l := s.start()
	good := startGood(s)
	busy := startLoad(s, "hook", 32, 0, true)
	good.during(t, "the busiest hour", func() { // until it holds what it ever holds
		until(t, time.Minute, "enough has been sent", func() bool { return busy.count() >= 12_000 })
	})
	busy.stop(t)
	good.lap(t, "nothing else", time.Second)
	good.all = nil
	m := watchMemory(t, l)
	goroutines := l.gauge(t, "go_goroutines")
	began := time.Now()
	siege := &siege{t: t, address: strings.TrimPrefix(l.public, "http://"), answers: map[string]int{}}
	for _, a := range attacks() {
		before := siege.count()
		good.during(t, a.name, func() { siege.attack(a) })
		t.Logf("%-28s %5d bad requests, %s", a.name, siege.count()-before, m.lap())
	}
	good.stop(t)
	if p99 := tell(t, "all of it", good.all); p99 > maxGoodP99 {
		t.Errorf("p99 of good requests is %s, want at most %s", p99, maxGoodP99)
	}
	t.Logf("%d bad requests in %s; answers: %s", siege.count(), time.Since(began).Round(time.Second), siege.told())
	if n := siege.count(); n < leastAttempts {
		t.Errorf("%d bad requests, want at least %d", n, leastAttempts)
	}
	if grown := m.stop(); grown > maxGrowth {
		t.Errorf("memory grew by %d MiB", grown>>20)
	}
	for _, w := range l.status(t).Webhooks {
		if n := w.Accepted + w.Rejected["failed"]; w.Name != "hook" && n > 0 {
			t.Errorf("webhook %s: %d requests got in", w.Name, n)
		}
	}
	if strings.Contains(l.output.text(), "panic") {
		t.Error("the gateway panicked")
	}
	until(t, 30*time.Second, "what the attacks left is gone", func() bool { return l.gauge(t, "go_goroutines") < goroutines+20 })
	l.settle(t, 60*time.Second)
	l.stop(t)
}

// good is senders that do everything right, and measure how long that takes.
type good struct {
	s      *site
	cancel context.CancelFunc
	ended  sync.WaitGroup

	mu   sync.Mutex
	took []time.Duration // since the last lap
	all  []time.Duration // of all laps
	odd  map[string]int
}

const goodSenders = 4

func startGood(s *site) *good {
	ctx, cancel := context.WithCancel(context.Background())
	g := &good{s: s, cancel: cancel, odd: map[string]int{}}
	client := newClient()
	for i := range goodSenders {
		g.ended.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				g.send(client, fmt.Sprintf("good-%d-%d", i, n))
				sleep(ctx, 10*time.Millisecond)
			}
		})
	}
	s.t.Cleanup(func() { cancel(); g.ended.Wait(); client.CloseIdleConnections() })
	return g
}

func (g *good) send(client *http.Client, id string) {
	body := fmt.Appendf(nil, `{"id":%q,"text":%q}`, id, strings.Repeat("good ", 200))
	began := time.Now()
	a, err := send(context.Background(), client, g.s.current().public+"/webhooks/hook", id, body)
	took := time.Since(began)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.took = append(g.took, took)
	if err != nil || a.Code != http.StatusAccepted {
		g.odd[fmt.Sprintf("%d %s %v", a.Code, a.Detail, err)]++
	}
}

// lap measures for a while.
func (g *good) lap(t *testing.T, name string, d time.Duration) {
	t.Helper()
	g.during(t, name, func() { time.Sleep(d) })
}

// during measures while something is going on.
func (g *good) during(t *testing.T, name string, run func()) {
	t.Helper()
	g.mu.Lock()
	g.took = nil
	g.mu.Unlock()
	run()
	g.mu.Lock()
	took := g.took
	g.mu.Unlock()
	g.all = append(g.all, took...)
	tell(t, name, took)
}

// tell tells how long requests took.
func tell(t *testing.T, name string, took []time.Duration) (p99 time.Duration) {
	t.Helper()
	if len(took) == 0 {
		return 0 // over before one was
	}
	slices.Sort(took)
	p50, p99 := took[len(took)/2], took[len(took)*99/100]
	t.Logf("%-28s %5d good requests, p50 %s, p99 %s, longest %s", name, len(took),
		p50.Round(100*time.Microsecond), p99.Round(100*time.Microsecond), took[len(took)-1].Round(100*time.Microsecond))
	return p99
}

func (g *good) stop(t *testing.T) {
	t.Helper()
	g.cancel()
	g.ended.Wait()
	for what, n := range g.odd {
		t.Errorf("%d good requests were answered: %s", n, what)
	}
}

// siege is attacks, one after the other, and what they were answered.
type siege struct {
	t       *testing.T
	address string

	mu      sync.Mutex
	sent    int
	answers map[string]int
}

func (s *siege) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

func (s *siege) told() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for answer, n := range s.answers {
		all = append(all, fmt.Sprintf("%s %d", answer, n))
	}
	sort.Strings(all)
	return strings.Join(all, ", ")
}

// pace is the time between two attempts: attackers that take the machine for
// themselves would measure nothing but that.
const pace = 8 * time.Millisecond

// attack runs one kind of attack, on many connections at once.
func (s *siege) attack(a attack) {
	var group sync.WaitGroup
	work := make(chan int)
	for range min(a.times, a.atOnce) {
		group.Go(func() {
			for i := range work {
				s.note(a, i)
			}
		})
	}
	for i := range a.times {
		work <- i
		if a.times > a.atOnce { // else all begin together, and are slow
			time.Sleep(pace)
		}
	}
	close(work)
	group.Wait()
}

// note runs one attempt and judges its answer.
func (s *siege) note(a attack, i int) {
	codes := a.run(s.address, i)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent++
	if len(codes) == 0 {
		s.answers["none"]++
	}
	for _, code := range codes {
		s.answers[fmt.Sprint(code)]++
		if !slices.Contains(a.allowed, code) {
			s.t.Errorf("%s %d: answered %v, want any of %v", a.name, i, codes, a.allowed)
		}
	}
}
