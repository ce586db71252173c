package e2e

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/api"
)

// revision is the n-th valid configuration. It differs from the others in the
// webhook /hooks/v<n>; every third has not the route second.
func revision(n int) string {
	second := `
  second:
    events: [github.push]
    run: main/note
    with: {route: second}`
	if n%3 == 2 {
		second = ""
	}
	return fmt.Sprintf(`
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: {path: ./data}
engines:
  main:
    plugin: ENGINE
    env: {GATEWAY_TEST_PIDS: DIR/out/pids}
    config: {journal: DIR/out/journal, delay: 5}
webhooks:
  in: {scheme: github, secrets: ["${env:E2E_SECRET}"]}
  marker: {scheme: github, secrets: ["${env:E2E_SECRET}"], path: /hooks/v%d}
  turned: {scheme: github, secrets: ["${file:DIR/secrets/turned}"], type: '"turned"'}
routes:
  first:
    events: [github.push]
    run: main/note
    with: {route: first}%s
`, n, second)
}

// mistake makes a configuration a broken one.
type mistake struct {
	name string
	make func(yaml string) string
	want string // in one of the problems
}

func mistakes() []mistake {
	instead := func(old, with string) func(string) string {
		return func(yaml string) string { return strings.Replace(yaml, old, with, 1) }
	}
	return []mistake{
		{"syntax error", instead("version: 1", "version: 1\n\t]"), "tab"},
		{"unknown key", instead("webhooks:", "wehbooks:"), "unknown"},
		{"empty file", func(string) string { return "" }, "empty"},
		{"half-written", func(yaml string) string { return yaml[:strings.Index(yaml, "E2E_SECRET}")] }, ""},
		{"no version", instead("version: 1", ""), "version"},
		{"unknown engine", instead("run: main/note", "run: mian/note"), "mian"},
		{"unknown workflow", instead("run: main/note", "run: main/ntoe"), "ntoe"},
		{"refused by the engine", instead("delay: 5", "delay: 5, refuse: not on a Monday"), "not on a Monday"},
	}
}

// reloader changes a site's configuration again and again.
type reloader struct {
	*site
	t      *testing.T
	random *rand.Rand
	// ways, and the valid configuration that should be in force.
	ways []way
	n    int
	// next are those of the ways whose turn comes before all others'.
	next []way
	// load that it must not leave behind, and how often it has reloaded.
	load *load
	done int
	// secrets is how often the secret in a file has become another.
	secrets int
	// slowest is how long a change took to be in force, late how many took longer
	// than they may.
	slowest time.Duration
	late    int
}

// way goes through the ways again and again, each time in another order.
func (r *reloader) way() (w way) {
	if len(r.next) == 0 {
		for _, i := range r.random.Perm(len(r.ways)) {
			r.next = append(r.next, r.ways[i])
		}
	}
	w, r.next = r.next[0], r.next[1:]
	return w
}

const (
	// perSite is how many reloads a gateway has at most.
	perSite = 1000
	// perReload is how many requests there are at least for each reload.
	perReload = 100
	// inForce is within what a change must be; a busy machine may stop for longer
	// once, or in one of a hundred.
	inForce = 2 * time.Second
)

// Two hundred reloads under load, or E2E_RELOADS, half of them broken: every
// request is accepted, every event is run, what is valid is in force, what is broken
// changes nothing and is told. Some gateways are reloaded at once: each waits for
// its watcher most of the time.
func TestReload(t *testing.T) {
	t.Parallel()
	times := int(fromEnv(t, "E2E_RELOADS", 200))
	file := func(*site) {}
	kinds := []struct {
		name  string
		share int // of the reloads, one in so many
		lay   func(*site)
		ways  []way
	}{
		{"file 1", 5, file, ways()}, {"file 2", 5, file, ways()}, {"file 3", 5, file, ways()},
		{"folder", 5, mount, []way{{"..data", "file", swapData, nil, 0}}},
		{"link", 5, func(s *site) { flip(s, revision(0)) }, []way{{"link", "file", flip, nil, 0}}},
		// Each waits for the next look, up to 15 s.
		{"without events", 60, hide, []way{{"other name", "file", unseen, nil, inForce + 15*time.Second}}},
	}
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			for left := max(times/kind.share, 4); left > 0; left -= perSite {
				s := newSite(t, revision(0))
				s.turn("turned", secretOf("0"))
				kind.lay(s)
				reloads(t, s, kind.ways, min(left, perSite))
			}
		})
	}
}

func reloads(t *testing.T, s *site, ways []way, times int) {
	seed := fromEnv(t, "E2E_SEED", uint64(time.Now().UnixNano()))
	t.Logf("E2E_SEED=%d", seed)
	l := s.start()
	pid := l.enginePID(t, "main")
	senders := startLoad(s, "in", 8, 12*time.Millisecond, true)
	r := &reloader{site: s, t: t, random: rand.New(rand.NewPCG(seed, 0)), ways: ways, load: senders}
	warm := max(2, times/8*2) // pairs of one that is valid and one that is not
	r.times(warm)
	before := measure(t, l)
	r.times(times - warm)
	l.flat(t, before)
	acked := senders.stop(t)
	if r.n%3 == 2 { // what waits for the route second gets it back
		r.valid(ways[0])
	}
	l.settle(t, 30*time.Second)
	if now := l.enginePID(t, "main"); now != pid {
		t.Errorf("the engine's process was %d and is %d, though no reload touched it", pid, now)
	}
	auditRoute(s.journal("journal"), "first", acked).check(t, "first")
	l.undisturbed(t, "first")
	l.undisturbed(t, "second")
	var c api.ConfigStatus
	l.get(t, "/api/v1/config", &c)
	t.Logf("%d reloads accepted, %d refused, %d secrets, %d requests, in force after %v at the latest", c.Accepted, c.Refused, r.secrets, senders.sent, r.slowest)
	if r.late > max(1, times/100) {
		t.Errorf("%d changes were in force later than they may, the last of all after %v", r.late, r.slowest)
	}
	if least := uint64(times / 2); c.Accepted < least || c.Refused < least {
		t.Errorf("%d reloads accepted and %d refused, want at least %d each", c.Accepted, c.Refused, least)
	}
	l.stop(t)
	s.nothingLeft(time.Second)
	for _, w := range ways {
		if l.output.reloads(w.reason) == 0 {
			t.Errorf("no reload was logged with the reason %q, though there were some by %s", w.reason, w.name)
		}
	}
}

// times reloads so often: a valid configuration and a broken one in turn.
func (r *reloader) times(n int) {
	mistakes := mistakes()
	for range n / 2 {
		r.valid(r.way())
		r.broken(r.way(), mistakes[r.random.IntN(len(mistakes))])
		if r.random.IntN(4) == 0 {
			r.secret()
		}
		r.done += 2
		until(r.t, 60*time.Second, "enough requests", func() bool { return r.load.count() >= r.done*perReload })
	}
}

func (r *reloader) valid(w way) {
	r.t.Helper()
	r.n++
	began := time.Now()
	w.write(r.site, revision(r.n))
	if w.ask != nil {
		w.ask(r.t, r.site, true)
	}
	until(r.t, 20*time.Second, fmt.Sprintf("%s: revision %d is in force", w.name, r.n), func() bool { return r.inForce(r.n) })
	r.took(time.Since(began), cmp.Or(w.within, inForce))
	if r.inForce(r.n - 1) {
		r.t.Errorf("%s: revision %d is still in force, beside the next", w.name, r.n-1)
	}
}

func (r *reloader) broken(w way, m mistake) {
	r.t.Helper()
	live := r.config()
	w.write(r.site, m.make(revision(r.n+1)))
	if w.ask != nil {
		w.ask(r.t, r.site, false)
	}
	until(r.t, 20*time.Second, fmt.Sprintf("%s, %s: the reload is refused, and the reason (with %q) told", w.name, m.name, m.want), func() bool {
		now := r.config()
		return now.Refused > live.Refused && !now.LastReload.OK && mentions(now.LastReload.Problems, m.want)
	})
	if now := r.config(); now.Revision != live.Revision || !r.inForce(r.n) {
		r.t.Errorf("%s, %s: revision %s was live, now %s is", w.name, m.name, live.Revision, now.Revision)
	}
}

// took notes how long a change took to be in force.
func (r *reloader) took(d, within time.Duration) {
	if r.slowest = max(r.slowest, d); d > within {
		r.late++
	}
}

// secret turns the secret in a file, beside whatever the configuration's file is.
func (r *reloader) secret() {
	r.t.Helper()
	old, now := secretOf(strconv.Itoa(r.secrets)), secretOf(strconv.Itoa(r.secrets+1))
	r.secrets++
	began := time.Now()
	r.turn("turned", now)
	until(r.t, 20*time.Second, "the new secret is in force", func() bool { return r.current().turned(r.t, now) == http.StatusAccepted })
	r.took(time.Since(began), inForce)
	if code := r.current().turned(r.t, old); code != http.StatusUnauthorized {
		r.t.Errorf("with the secret of before: %d", code)
	}
}

func mentions(problems []api.ConfigProblem, want string) bool {
	for _, p := range problems {
		if strings.Contains(p.Path+": "+p.Message, want) {
			return true
		}
	}
	return false
}

func (r *reloader) config() (c api.ConfigStatus) {
	r.t.Helper()
	r.current().get(r.t, "/api/v1/config", &c)
	return c
}

// inForce tells whether the n-th configuration's webhook is there.
func (r *reloader) inForce(n int) bool {
	r.t.Helper()
	resp, err := http.Get(fmt.Sprintf("%s/hooks/v%d/test", r.current().public, n))
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// usage is what leaks.
type usage struct{ goroutines, descriptors float64 }

// measure takes the least of some readings: requests in flight come and go.
func measure(t *testing.T, l *life) usage {
	t.Helper()
	least := usage{math.Inf(1), math.Inf(1)}
	for range 20 {
		least.goroutines = min(least.goroutines, l.gauge(t, "go_goroutines"))
		least.descriptors = min(least.descriptors, l.descriptors(t))
		time.Sleep(10 * time.Millisecond)
	}
	return least
}

// descriptors is how many the gateway has open, without the segments of its
// journal: it keeps some of those that it once needed, and no more.
func (l *life) descriptors(t *testing.T) (n float64) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", l.pid)
	open, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range open {
		file, err := os.Readlink(filepath.Join(dir, fd.Name()))
		if err == nil && !strings.HasPrefix(filepath.Base(file), "journal-") {
			n++
		}
	}
	return n
}

// flat waits until no more is in use than before, give or take what requests
// in flight need.
func (l *life) flat(t *testing.T, before usage) {
	t.Helper()
	const give = 4
	var now usage
	defer func() {
		t.Logf("goroutines %v, then %v; descriptors %v, then %v", before.goroutines, now.goroutines, before.descriptors, now.descriptors)
	}()
	until(t, 20*time.Second, "goroutines and descriptors are as they were", func() bool {
		now = measure(t, l)
		return now.goroutines <= before.goroutines+give && now.descriptors <= before.descriptors+give
	})
}
