package stage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/config/decode"
	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/rehearse"
	"github.com/event-gateway/gateway/gateway/rehearse/script"
	"github.com/event-gateway/gateway/gateway/schedule"
	"github.com/event-gateway/gateway/gateway/store"
)

// judge compares what became of a case with what it expects.
type judge struct {
	*script.Cast
	stage       *Stage
	differences script.Problems
}

func (j *judge) say(below, format string, args ...any) {
	j.differences = append(j.differences, j.Problem(below, fmt.Sprintf(format, args...)))
}

func (j *judge) judge(o *Outcome) {
	want := j.Case.Expect
	if j.Case.Request != nil && !j.answered(o) {
		return // nothing that follows tells more
	}
	if j.Has("expect.firings") {
		j.firings(want.Firings, o)
	}
	switch n := len(o.Entries); {
	case want.Events >= 0 && n != want.Events:
		j.say("expect.events", "want %d, got %d", want.Events, n)
	case want.Events < 0 && n == 0 && j.aboutEvents():
		j.say("expect", "no event came of it%s", refusal(o))
	}
	for _, e := range o.Entries {
		j.attributes(e.Event)
		j.routes(e)
	}
}

// answered compares the answer; false: the request ended otherwise than
// expected.
func (j *judge) answered(o *Outcome) bool {
	want, before := j.Case.Expect, len(j.differences)
	stated := j.Has("expect.status") || j.Has("expect.reason")
	switch {
	case j.Has("expect.status") && want.Status != o.Status:
		j.say("expect.status", "want %d, got %d%s", want.Status, o.Status, refusal(o))
	case !stated && o.Status >= http.StatusBadRequest:
		j.say("expect", "the request was refused with %d%s", o.Status, refusal(o))
	case j.Has("expect.reason") && want.Reason != o.Reason:
		j.say("expect.reason", "want %q, got %q", want.Reason, o.Reason)
	}
	if want.Answer != "" && !bytes.Contains(o.Answer, []byte(want.Answer)) {
		j.say("expect.answer", "the answer does not hold %q: %s", want.Answer, rehearse.Brief(bytes.TrimSpace(o.Answer)))
	}
	return len(j.differences) == before
}

// refusal tells why a request was refused.
func refusal(o *Outcome) string {
	if o.Status < http.StatusBadRequest {
		return ""
	}
	var problem struct{ Detail string }
	if json.Unmarshal(o.Answer, &problem) != nil || problem.Detail == "" {
		problem.Detail = string(bytes.TrimSpace(o.Answer))
	}
	if o.Reason != "" {
		return fmt.Sprintf(" (%s: %s)", o.Reason, problem.Detail)
	}
	return " (" + problem.Detail + ")"
}

// aboutEvents: the case expects something of events, which needs one.
func (j *judge) aboutEvents() bool {
	for _, key := range []string{"type", "id", "source", "subject", "data"} {
		if j.Has("expect." + key) {
			return true
		}
	}
	return len(j.Case.Expect.Routes) > 0 || len(j.Case.Expect.Not) > 0
}

func (j *judge) firings(want []time.Time, o *Outcome) {
	for i, at := range want {
		if !slices.ContainsFunc(o.Firings, func(f schedule.Firing) bool { return f.At.Equal(at) }) {
			j.say(fmt.Sprintf("expect.firings[%d]", i), "it does not fire at %s", moment(at))
		}
	}
	for _, f := range o.Firings {
		if !slices.ContainsFunc(want, f.At.Equal) {
			j.say("expect.firings", "it fires at %s, which is not expected", moment(f.At))
		}
	}
}

func (j *judge) attributes(ev *event.Event) {
	want := j.Case.Expect
	for _, a := range []struct{ key, want, got string }{
		{"type", want.Type, ev.Type}, {"id", want.ID, ev.ID}, {"source", want.Source, ev.Source}, {"subject", want.Subject, ev.Subject},
	} {
		if a.want != a.got && j.Has("expect."+a.key) {
			j.say("expect."+a.key, "want %q, got %q", a.want, a.got)
		}
	}
	if j.Has("expect.data") {
		data, err := ev.Data()
		if err != nil {
			j.say("expect.data", "%s", err)
			return
		}
		j.compare("expect.data", want.Data, data, false)
	}
}

func (j *judge) compare(below string, want, got any, partial bool) {
	for _, d := range rehearse.Compare(want, got, partial) {
		j.say(below+d.Path, "%s", d.Says)
	}
}

func (j *judge) routes(e *store.Entry) {
	want, taken := j.Case.Expect, map[string]*store.Delivery{}
	for _, d := range e.Deliveries {
		taken[d.Route] = d
	}
	for _, name := range slices.Sorted(maps.Keys(want.Routes)) {
		if d := taken[name]; d != nil {
			j.taken("expect.routes."+name, want.Routes[name], d)
		} else if why, ok := j.why("expect.routes."+name, name, e.Event); ok {
			j.say("expect.routes."+name, "does not match: %s", why)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want.Not)) {
		j.not(name, want.Not[name], e.Event)
	}
	for _, d := range e.Deliveries {
		_, expected := want.Routes[d.Route]
		if _, no := want.Not[d.Route]; want.Exact && !expected && !no {
			j.say("expect", "route %s matches, which is not expected", d.Route)
		}
	}
}

func (j *judge) taken(below string, want script.Taken, d *store.Delivery) {
	if got := d.Engine + "/" + d.Workflow; j.Has(below+".run") && want.Run != got {
		j.say(below+".run", "want %s, got %s", want.Run, got)
	}
	if j.Has(below+".key") && want.Key != d.Key {
		j.say(below+".key", "want %q, got %q", want.Key, d.Key)
	}
	for _, part := range []struct {
		key     string
		want    any
		partial bool
	}{{"input", want.Input, false}, {"includes", want.Includes, true}} {
		if j.Has(below + "." + part.key) {
			j.compare(below+"."+part.key, part.want, decoded(d.Input), part.partial)
		}
	}
}

func decoded(text []byte) (v any) {
	if len(text) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return string(text)
	}
	return v
}

// why tells what keeps an event from a route; false: there is no such route,
// which has been said.
func (j *judge) why(below, name string, ev *event.Event) (*rehearse.Failure, bool) {
	r := j.stage.Routes.Route(name)
	if r == nil {
		var names []string
		for _, r := range j.stage.Routes.Routes() {
			names = append(names, r.Name)
		}
		j.say(below, "no route is named %q%s", name, meant(name, names))
		return nil, false
	}
	return rehearse.Of(r.Explain(ev), ev).Failed, true
}

func (j *judge) not(name string, why any, ev *event.Event) {
	below := "expect.not." + name
	failed, ok := j.why(below, name, ev)
	if !ok {
		return
	}
	if failed == nil {
		j.say(below, "matches, which is not expected")
		return
	}
	text, _ := why.(string)
	where, says, _ := strings.Cut(text, ": ")
	same := where == "" || where == failed.Step || strings.TrimPrefix(where, "match.") == failed.Where()
	if !same || !strings.Contains(failed.String(), says) {
		j.say(below, "want %q to keep it out, and it is %s: %s", text, failed.Where(), failed)
	}
}

// meant is a hint for a name that is none of those there are.
func meant(name string, names []string) string {
	if near := decode.Nearest(name, names); near != "" {
		return " (" + decode.DidYouMean(near) + ")"
	}
	return ""
}
