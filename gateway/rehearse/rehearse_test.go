package rehearse_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/expr"
	"github.com/event-gateway/gateway/gateway/rehearse"
	"github.com/event-gateway/gateway/gateway/route"
)

func table(t *testing.T) *route.Table {
	t.Helper()
	specs := []route.Spec{
		{Name: "deploy", Events: []string{"github.push", "gitlab.*"}, Match: map[string][]any{"data.ref": {"main", "next"}, "subject": {nil, ""}},
			When: `event.data.n > 1 && event.data.by != "bot"`, Key: "event.data.repo", With: map[string]any{"n": "${{ event.data.n }}"}, Engine: "exec", Workflow: "deploy"},
		{Name: "page", Events: []string{"alarm"}, With: map[string]any{"who": "${{ event.data.who }}"}},
	}
	compiled, mistakes := route.Compile(specs, expr.New(), &route.Counters{})
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	return compiled
}

func TestWhyNot(t *testing.T) {
	for _, test := range []struct{ typ, body, where, says string }{
		{"x", ``, "events", `the type "x" is not "github.push" or "gitlab.*"`},
		{"github.push", `{"ref":"old"}`, "data.ref", `data.ref is "old", not "main" or "next"`},
		{"github.push", `{}`, "data.ref", `data.ref is null, not "main" or "next"`},
		{"github.push", `{`, "data.ref", `data.ref cannot be told: body: `},
		{"github.push", `{"ref":"main","n":1}`, "when", `when does not hold: event.data.n > 1 (event.data.n is 1)`},
		{"github.push", `{"ref":"main","n":2,"by":"bot"}`, "when", `when does not hold: event.data.by != "bot" (event.data.by is "bot")`},
		{"github.push", `{"ref":"main","n":2}`, "when", `when cannot tell: event.data.by != "bot": no such key: by`},
		{"github.push", `{"ref":"main","n":2,"by":"a"}`, "key", `key cannot be made: no such key: repo`},
	} {
		verdicts := rehearse.Explain(table(t), &event.Event{Type: test.typ, Body: []byte(test.body)})
		f := verdicts[0].Failed
		if len(verdicts) != 2 || verdicts[0].Route != "deploy" || f == nil || f.Where() != test.where || !strings.HasPrefix(f.String(), test.says) {
			t.Errorf("%s %s: %v", test.typ, test.body, f)
		}
	}
	long := strings.Repeat("x", 1000)
	f := rehearse.Explain(table(t), &event.Event{Type: "github.push", Body: []byte(`{"ref":"` + long + `"}`)})[0].Failed
	if len(f.String()) > 300 || string(f.Saw[0].Value) != `"`+long+`"` {
		t.Errorf("a long value: %s", f)
	}
}

func TestMatched(t *testing.T) {
	v := rehearse.Explain(table(t), &event.Event{Type: "gitlab.push", Body: []byte(`{"ref":"main","n":2,"by":"a","repo":"r"}`)})[0]
	text, err := json.Marshal(v)
	if err != nil || string(text) != `{"route":"deploy","engine":"exec","workflow":"deploy","matched":true,"input":{"n":2},"key":"r"}` {
		t.Errorf("%s %v", text, err)
	}
}

func TestCoverage(t *testing.T) {
	routes, c := table(t), rehearse.NewCoverage()
	gaps := func() string {
		var list []string
		for _, g := range c.Of(routes).Gaps {
			list = append(list, strings.TrimSpace(g.Route+" "+g.Field+": "+g.Says))
		}
		return strings.Join(list, "\n")
	}
	for _, test := range []struct{ event, subject, body, want string }{
		{"other", "", ``, "deploy : no case matches it\ndeploy match.subject: keeps no case from it\ndeploy match.data.ref: keeps no case from it\ndeploy when: keeps no case from it\npage : no case matches it"},
		{"alarm", "", `{"who":"me"}`, "deploy : no case matches it\ndeploy match.subject: keeps no case from it\ndeploy match.data.ref: keeps no case from it\ndeploy when: keeps no case from it"},
		{"gitlab.push", "", `{"ref":"main","n":2,"by":"a","repo":"r"}`, "deploy match.subject: keeps no case from it\ndeploy match.subject: no case has null\ndeploy match.data.ref: keeps no case from it\ndeploy match.data.ref: no case has \"next\"\ndeploy when: keeps no case from it"},
		{"gitlab.push", "s", ``, "deploy match.subject: no case has null\ndeploy match.data.ref: keeps no case from it\ndeploy match.data.ref: no case has \"next\"\ndeploy when: keeps no case from it"},
		{"gitlab.push", "", `{"ref":"old"}`, "deploy match.subject: no case has null\ndeploy match.data.ref: no case has \"next\"\ndeploy when: keeps no case from it"},
		{"gitlab.push", "", `{"ref":"next","n":0}`, "deploy match.subject: no case has null\ndeploy match.data.ref: no case has \"next\""},
	} {
		ev := &event.Event{Type: test.event, Subject: test.subject, Body: []byte(test.body)}
		c.Add(routes, ev)
		if got := gaps(); got != test.want {
			t.Errorf("after %s %s:\n%s", test.event, test.body, got)
		}
	}
	if sum := c.Of(routes); sum.Routes != 2 || sum.Matched != 2 || sum.Conditions != 3 || sum.Decided != 3 {
		t.Errorf("%+v", sum)
	}
}
