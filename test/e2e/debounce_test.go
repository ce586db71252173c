package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
)

const debounced = `
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: {path: ./data}
engines:
  main: {plugin: ENGINE, env: {GATEWAY_TEST_PIDS: DIR/out/pids}, config: {journal: DIR/out/journal, delay: 5}}
webhooks:
  in: {scheme: github, secrets: ["${env:E2E_SECRET}"]}
routes:
  builds:
    events: [github.push]
    run: main/note
    with: {route: builds, pushes: "${{ event.data.events.size() }}"}
    key: event.data.sender
    debounce: {wait: 150ms, max: 400ms}
`

// A gateway that gathers and is killed again and again loses no event of a
// group, and none is ever in two of them.
func TestDebounceOverKills(t *testing.T) {
	t.Parallel()
	seed := fromEnv(t, "E2E_SEED", uint64(time.Now().UnixNano()))
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("E2E_SEED=%d", seed)
	s := newSite(t, debounced)
	s.start()
	senders := startLoad(s, "in", 8, 10*time.Millisecond, false)
	for range 12 {
		<-time.After(100*time.Millisecond + time.Duration(random.Int64N(int64(500*time.Millisecond))))
		s.current().kill(t)
		s.start()
	}
	acked := senders.stop(t)
	last := s.current()
	last.settle(t, 30*time.Second)
	auditRoute(s.journal("journal"), "builds", acked).check(t, "builds")
	groups, merged := 0, map[string]int{}
	for _, d := range last.deliveries(t, "builds") {
		switch {
		case d.State == "succeeded" && store.IsGroup(d.EventID):
			groups++
		case d.State == "merged" && store.IsGroup(d.MergedInto):
			merged[d.MergedInto]++
		default:
			t.Errorf("delivery %s of event %s: %s", d.ID, d.EventID, d.State)
		}
	}
	if len(merged) != groups || groups*2 > len(acked) {
		t.Errorf("%d events, %d groups that ran, %d that events were merged into", len(acked), groups, len(merged))
	}
	t.Logf("%d events in %d groups", len(acked), groups)
	last.stop(t)
}

// A group waits for its pause over a restart, says so meanwhile, and can be had
// at once. What it was made of is explained and exported, it is not.
func TestDebounceShown(t *testing.T) {
	t.Parallel()
	s := newSite(t, strings.Replace(debounced, "{wait: 150ms, max: 400ms}", "{wait: 1h, max: 5h}", 1))
	l := s.start()
	for n, id := range []string{"a", "b"} {
		l.mustSend(t, "in", id, fmt.Sprintf(`{"sender":"x","n":%d}`, n))
	}
	l.kill(t)
	l = s.start()
	until(t, 5*time.Second, "the route says why it waits", func() bool { return strings.HasPrefix(l.reason(t, "builds"), "2 events gathered so far") })
	waiting := l.deliveries(t, "builds")
	for _, d := range waiting {
		if left := time.Until(d.Due); left < 50*time.Minute || left > time.Hour {
			t.Errorf("delivery %s is due in %v, its group in an hour", d.ID, left)
		}
	}
	l.mustAsk(t, 200, "POST", "/api/v1/deliveries/"+waiting[0].ID+"/retry", "")
	l.settle(t, 5*time.Second)
	all := l.deliveries(t, "builds")
	if len(all) != 3 || all[0].State != "succeeded" || all[1].State != "merged" || all[2].MergedInto != all[0].EventID {
		t.Fatalf("deliveries %+v", all)
	}
	group := l.mustAsk(t, 200, "GET", "/api/v1/deliveries/"+all[0].ID, "")
	if input, _ := group["input"].(map[string]any); input["pushes"] != 2.0 {
		t.Errorf("input %v, want two pushes", group["input"])
	}
	refusal := l.mustAsk(t, 422, "GET", "/api/v1/events/"+url.PathEscape(all[0].EventID)+"/explain", "")
	if why, _ := refusal["detail"].(string); !strings.Contains(why, "such as a") {
		t.Errorf("explain: %v", refusal)
	}
	exported := l.mustAsk(t, 200, "GET", "/api/v1/export/events", "")
	if list, _ := exported["events"].([]any); len(list) != 2 {
		t.Errorf("exported %v", exported)
	}
	for _, replay := range []struct {
		body, outcomes string
		waiting        int
	}{
		{`{"source":"/webhooks/in","same_key":true}`, all[0].EventID + " replayed", 0},
		{`{"route":"builds"}`, "a replayed, b replayed", 2},
	} {
		answer := l.mustAsk(t, 200, "POST", "/api/v1/replay", replay.body)
		var got []string
		for _, e := range answer["events"].([]any) {
			e := e.(map[string]any)
			got = append(got, fmt.Sprint(e["event_id"], " ", e["outcome"]))
		}
		if strings.Join(got, ", ") != replay.outcomes {
			t.Errorf("replay %s: %q, want %s", replay.body, got, replay.outcomes)
		}
		until(t, 5*time.Second, "the replay has run or waits", func() bool { return l.status(t).Store.Pending == int64(replay.waiting) })
	}
	l.stop(t)
}
