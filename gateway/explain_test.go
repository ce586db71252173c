package gateway

import (
	"fmt"
	"strings"
	"testing"
)

// verdictOf finds what an explanation says of a route.
func verdictOf(answer map[string]any, route string) string {
	list, _ := answer["routes"].([]any)
	for _, one := range list {
		if v, _ := one.(map[string]any); v["route"] == route {
			failed, _ := v["failed"].(map[string]any)
			return fmt.Sprintf("%v %v", v["matched"], failed["step"])
		}
	}
	return "none"
}

// TestExplain: a stored event is explained by the routes in force, and by those
// of the past, with what was laid over the file then.
func TestExplain(t *testing.T) {
	b := startOverlay(t)
	defer b.stop()
	_, posted := b.post(`{"bad":true}`)
	path := "/api/v1/events/" + posted["event_id"].(string) + "/explain"
	first := b.mustAsk(200, "GET", path, "")
	if got := verdictOf(first, "echo"); got != "true <nil>" {
		t.Errorf("echo: %s in %v", got, first)
	}
	// Another route over the API, then another in the file: three revisions.
	b.mustAsk(200, "POST", "/api/events/subscribe/orders", `{"workflow_id":"fail"}`)
	second := b.mustAsk(200, "GET", path, "")
	if got := verdictOf(second, "orders-fail"); got != "true <nil>" {
		t.Errorf("the subscription: %s in %v", got, second)
	}
	b.write(b.config("  good: {events: [orders], match: {data.bad: false}, run: exec/echo}\n"))
	b.reload("")
	third := b.mustAsk(200, "GET", path, "")
	for route, want := range map[string]string{"echo": "true <nil>", "good": "false match", "orders-fail": "true <nil>"} {
		if got := verdictOf(third, route); got != want {
			t.Errorf("%s in the third: %s, want %s", route, got, want)
		}
	}
	for revision, want := range map[any][3]string{
		first["revision"]:  {"true <nil>", "none", "none"},
		second["revision"]: {"true <nil>", "none", "true <nil>"},
		third["revision"]:  {"true <nil>", "false match", "true <nil>"},
	} {
		past := b.mustAsk(200, "GET", path+"?revision="+revision.(string)[:8], "")
		if got := [3]string{verdictOf(past, "echo"), verdictOf(past, "good"), verdictOf(past, "orders-fail")}; got != want || past["revision"] != revision {
			t.Errorf("revision %s: %v, want %v; %v", revision, got, want, past)
		}
	}
	for query, want := range map[string]string{"?revision=000000000000": "no revision", "?revision=nope": "no revision", "?route=nope": "no route"} {
		if answer := b.mustAsk(404, "GET", path+query, ""); !strings.Contains(fmt.Sprint(answer["detail"]), want) {
			t.Errorf("%s: %v", query, answer)
		}
	}
}
