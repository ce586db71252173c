package e2e

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// everyEvent sends every event to two routes: one in any order, and one with
// strict order per sender.
const everyEvent = `
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
routes:
  any:
    events: [github.push]
    run: main/note
    with: {route: any}
  ordered:
    events: [github.push]
    run: main/note
    with: {route: ordered}
    key: event.data.sender
    order: strict
`

// fromEnv is a number that the environment may set.
func fromEnv(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text, ok := os.LookupEnv(name)
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// A gateway that is killed again and again under load loses nothing that it
// acknowledged, does nothing twice under another key, keeps the order of keys
// and leaves no engine behind. E2E_CRASH_ROUNDS and E2E_SEED change it.
func TestCrash(t *testing.T) {
	t.Parallel()
	rounds := fromEnv(t, "E2E_CRASH_ROUNDS", 20)
	seed := fromEnv(t, "E2E_SEED", uint64(time.Now().UnixNano()))
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("E2E_SEED=%d E2E_CRASH_ROUNDS=%d", seed, rounds)

	s := newSite(t, everyEvent)
	s.start()
	senders := startLoad(s, "in", 16, 0, false)
	for range rounds {
		moment := 100*time.Millisecond + time.Duration(random.Int64N(int64(300*time.Millisecond)))
		<-time.After(moment)
		s.current().kill(t)
		s.nothingLeft(5 * time.Second)
		s.start()
	}
	acked := senders.stop(t)
	last := s.current()
	last.settle(t, 60*time.Second)

	notes := s.journal("journal")
	t.Logf("%d kills, %d engine processes, %d requests of which %d without an answer", rounds, len(s.engines()), senders.sent, senders.failed)
	for _, route := range []string{"any", "ordered"} {
		auditRoute(notes, route, acked).check(t, route)
		last.undisturbed(t, route)
	}
	inOrder(t, notes, "ordered")
	last.stop(t)
	s.nothingLeft(time.Second)
}
