package e2e

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/api"
)

const rated = `
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: {path: ./data}
engines:
  main: {plugin: ENGINE, env: {GATEWAY_TEST_PIDS: DIR/out/pids}, config: {journal: DIR/out/journal}}
webhooks:
  in: {scheme: github, secrets: ["${env:E2E_SECRET}"], type: "event.data.do"}
routes:
  rated: {events: [rated], run: main/note, with: {route: rated}, rate: 2/1h}
  note: {events: [note], run: main/note, with: {route: note}}
`

// A rate is not to be got around by a gateway that is killed again and again,
// and it says why its deliveries wait. Another rate counts at once.
func TestRateOverKills(t *testing.T) {
	t.Parallel()
	s := newSite(t, rated)
	l := s.start()
	for _, id := range []string{"a", "b", "c", "d"} {
		l.mustSend(t, "in", id, `{"do":"rated","n":"`+id+`"}`)
	}
	for round := range 3 {
		waits := func() bool { return l.ended(t, "rated") == 2 && strings.Contains(l.reason(t, "rated"), "2/1h") }
		until(t, 10*time.Second, "two have run, two wait for their rate", waits)
		if round > 0 { // time enough for them to have started
			id := strconv.Itoa(round)
			l.mustSend(t, "in", id, `{"do":"note","n":"`+id+`"}`)
			until(t, 10*time.Second, "others run", func() bool { return l.ended(t, "note") == round })
		}
		l.kill(t)
		l = s.start()
	}
	if n := l.ended(t, "rated"); n != 2 {
		t.Errorf("%d have run, want 2", n)
	}
	s.write(strings.Replace(rated, "2/1h", "3/1h", 1))
	if code, problems := l.reload(t); code != 200 {
		t.Fatalf("reload: %d %v", code, problems)
	}
	until(t, 10*time.Second, "a third runs", func() bool { return l.ended(t, "rated") == 3 && strings.Contains(l.reason(t, "rated"), "3/1h") })
	l.stop(t)
}

// ended counts the deliveries of a route that have succeeded at the first attempt.
func (l *life) ended(t *testing.T, route string) (n int) {
	t.Helper()
	for _, d := range l.deliveries(t, route) {
		if d.State == "succeeded" && d.Attempt == 1 {
			n++
		}
	}
	return n
}

// reason why deliveries of a route wait.
func (l *life) reason(t *testing.T, route string) string {
	t.Helper()
	of := map[string]api.RouteStatus{}
	for _, r := range l.status(t).Routes {
		of[r.Name] = r
	}
	return of[route].Reason
}
