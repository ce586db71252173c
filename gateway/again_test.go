package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// replay asks for one page and tells what became of each event.
func (b *box) replay(path, body string) (answer map[string]any, outcomes string) {
	b.t.Helper()
	answer = b.mustAsk(200, "POST", path, body)
	var all []string
	for _, one := range answer["events"].([]any) {
		o := one.(map[string]any)
		all = append(all, fmt.Sprintf("%v %v %v", o["event_id"], o["outcome"], o["routes"]))
	}
	return answer, strings.Join(all, "\n")
}

// states waits for the state of the deliveries of an event.
func (b *box) states(id string) string {
	b.t.Helper()
	var states []string
	for _, d := range b.ended(id) {
		states = append(states, fmt.Sprintf("%s %s %d", d.Route, d.State, d.Attempt))
	}
	return strings.Join(states, ", ")
}

// An event comes in once more by the routes in force, as an event of its own
// that says of which it is a replay; once in each replay, also over a restart.
func TestReplayEvent(t *testing.T) {
	b := start(t, "")
	defer func() { b.stop() }()
	_, posted := b.post(`{"n":1}`)
	id := posted["event_id"].(string)
	b.ended(id)
	b.write(fmt.Sprintf(base, execPlugin, "  late: {events: [orders], match: {data.n: 1}, run: exec/echo}\n"))
	b.reload("")

	path := "/api/v1/events/" + id + "/replay"
	if _, got := b.replay(path, `{"dry_run":true}`); got != id+" replayed [echo late]" {
		t.Errorf("dry run: %s", got)
	}
	first, got := b.replay(path, `{"routes":["late"]}`)
	if got != id+" replayed [late]" {
		t.Fatalf("replay: %s", got)
	}
	replayID := first["events"].([]any)[0].(map[string]any)["replay_id"].(string)
	if states := b.states(replayID); states != "late succeeded 1" {
		t.Errorf("the replay's deliveries: %s", states)
	}
	b.again()
	again := fmt.Sprintf(`{"replay":%q}`, first["replay"])
	if _, got := b.replay(path, again); got != id+" before <nil>" {
		t.Errorf("the same replay after a restart: %s", got)
	}
	if _, got := b.replay("/api/v1/events/"+replayID+"/replay", ""); got != replayID+" replayed [echo late]" {
		t.Errorf("the replay of a replay: %s", got)
	}
	if none, got := b.replay(path, `{"routes":["nobody"]}`); got != id+" no_route <nil>" || none["replayed"] != 0.0 {
		t.Errorf("to no route: %s", got)
	}
	shown := b.mustAsk(200, "GET", "/api/v1/events/"+id, "")
	if list, _ := shown["replays"].([]any); len(list) != 2 || list[0].(map[string]any)["replay"] != first["replay"] || list[1].(map[string]any)["routed"] != 2.0 {
		t.Errorf("history: %v", shown["replays"])
	}
	repeated := b.mustAsk(200, "GET", "/api/v1/events/"+replayID, "")
	if x := repeated["extensions"].(map[string]any); x["replayof"] != id || x["replayid"] != first["replay"] || repeated["source"] != shown["source"] {
		t.Errorf("the replay as an event: %v", repeated)
	}
	b.mustAsk(404, "POST", "/api/v1/events/nope/replay", "")
}

// Deliveries run once more under the ids that engines know, once in each replay.
func TestReplaySameKey(t *testing.T) {
	b := start(t, "  fail: {events: [orders], run: exec/fail}\n")
	defer func() { b.stop() }()
	_, posted := b.post(`{}`)
	id := posted["event_id"].(string)
	if got := b.states(id); got != "echo succeeded 1, fail dead 1" {
		t.Fatal(got)
	}
	path := "/api/v1/events/" + id + "/replay"
	began, got := b.replay(path, `{"same_key":true}`)
	if want := id + " replayed [echo]\n" + id + " replayed [fail]"; got != want {
		t.Fatalf("%s", got)
	}
	if got := b.states(id); got != "echo succeeded 2, fail dead 2" {
		t.Error(got)
	}
	b.again()
	if _, got := b.replay(path, fmt.Sprintf(`{"same_key":true,"replay":%q}`, began["replay"])); got != id+" before [echo]\n"+id+" before [fail]" {
		t.Errorf("the same replay after a restart: %s", got)
	}
	if _, got := b.replay("/api/v1/replay", `{"dead":true,"same_key":true}`); got != id+" replayed [fail]" {
		t.Errorf("dead ones alone: %s", got)
	}
	if got := b.states(id); got != "echo succeeded 2, fail dead 3" {
		t.Error(got)
	}
	_, attempts, err := b.g.store.Delivery(context.Background(), b.ended(id)[1].Seq)
	if err != nil || len(attempts) != 3 || attempts[0].Message == "" {
		t.Errorf("%d attempts in the history, want 3: %v", len(attempts), err)
	}
	b.write(fmt.Sprintf(base, execPlugin, ""))
	b.reload("")
	if _, got := b.replay("/api/v1/replay", `{"route":"fail","same_key":true}`); got != id+" route_removed [fail]" {
		t.Errorf("without its route: %s", got)
	}
}

// Dead letters are brought in until something has made up for them.
func TestReplayDead(t *testing.T) {
	b := start(t, "  fail: {events: [orders], run: exec/fail}\n")
	defer b.stop()
	_, posted := b.post(`{}`)
	id := posted["event_id"].(string)
	b.ended(id)
	page := func(want string) map[string]any {
		t.Helper()
		answer, got := b.replay("/api/v1/replay", `{"dead":true,"type":"orders"}`)
		if got != want {
			t.Fatalf("%s, want %s", got, want)
		}
		return answer
	}
	replayed := func(answer map[string]any) string {
		return answer["events"].([]any)[0].(map[string]any)["replay_id"].(string)
	}
	first := replayed(page(id + " replayed [fail]"))
	if got := b.states(first); got != "fail dead 1" {
		t.Error(got)
	}
	b.write(strings.Replace(fmt.Sprintf(base, execPlugin, "  fail: {events: [orders], run: exec/fail}\n"), "exit 65", "true", 1))
	b.reload("")
	second := replayed(page(id + " replayed [fail]\n" + first + " before <nil>"))
	if got := b.states(second); got != "fail succeeded 1" {
		t.Error(got)
	}
	page(id + " made_up <nil>\n" + first + " made_up <nil>")
}

// Pages go from the oldest event to the newest, without what repeats others,
// what the gateway says itself, and what came in since the replay began.
func TestReplayPages(t *testing.T) {
	b := start(t, "")
	defer b.stop()
	var ids []string
	for n := range 5 {
		_, posted := b.post(fmt.Sprintf(`{"n":%d}`, n))
		ids = append(ids, posted["event_id"].(string))
	}
	b.ended(ids[4])
	since := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	body := map[string]any{"since": since, "limit": 2}
	var seen []string
	for rounds := 0; ; rounds++ {
		text, _ := json.Marshal(body)
		answer := b.mustAsk(200, "POST", "/api/v1/replay", string(text))
		for _, one := range answer["events"].([]any) {
			if o := one.(map[string]any); o["outcome"] == "replayed" {
				seen = append(seen, o["event_id"].(string))
			}
		}
		if body["replay"], body["after"] = answer["replay"], answer["next"]; body["after"] == nil {
			break
		}
		b.post(fmt.Sprintf(`{"more":%d}`, rounds))
	}
	if fmt.Sprint(seen) != fmt.Sprint(ids) {
		t.Errorf("replayed %v, want %v", seen, ids)
	}
	delete(body, "after")
	body["limit"] = 100
	text, _ := json.Marshal(body)
	if again := b.mustAsk(200, "POST", "/api/v1/replay", string(text)); again["replayed"] != 0.0 || again["examined"] != 5.0 {
		t.Errorf("done once more: %v", again)
	}
	// What was exported comes in elsewhere, with what it came with.
	exported := b.mustAsk(200, "GET", "/api/v1/export/events?limit=1000", "")["events"].([]any)
	oldest := exported[len(exported)-1].(map[string]any)
	if oldest["id"] != ids[0] || oldest["data"].(map[string]any)["n"] != 0.0 || oldest["source"] != "/webhooks/orders" {
		t.Errorf("exported %v", oldest)
	}
	text, _ = json.Marshal(map[string]any{"events": []any{oldest}})
	if _, got := b.replay("/api/v1/replay", string(text)); got != ids[0]+" replayed [echo]" {
		t.Errorf("from an export: %s", got)
	}
}
