package main

import (
	"strings"
	"testing"

	"github.com/event-gateway/gateway/plugins/sdk"
)

func TestConfigure(t *testing.T) {
	in := func(workflow string) string { return `{"task_queue":"q","workflows":{"it":` + workflow + `}}` }
	tests := []struct{ name, config, want string }{
		{"nothing", `null`, "workflows: at least one is needed: there is nothing to start"},
		{"a slip", `{"workflow":{}}`, `workflow: unknown key (did you mean "workflows"?)`},
		{"a slip within", in(`{"task_quue":"x"}`), `workflows.it.task_quue: unknown key (did you mean "task_queue"?)`},
		{"no port", `{"address":"temporal.example","task_queue":"q","workflows":{"it":{}}}`, "address: want host:port, like 127.0.0.1:7233"},
		{"a URL", `{"address":"https://temporal.example:7233","task_queue":"q","workflows":{"it":{}}}`, "address: want host:port, like 127.0.0.1:7233"},
		{"no namespace", `{"namespace":"","task_queue":"q","workflows":{"it":{}}}`, "namespace: is empty"},
		{"no queue", `{"workflows":{"it":{}}}`, "workflows.it.task_queue: is needed, here or for all workflows"},
		{"a mode", in(`{"mode":"begin"}`), "workflows.it.mode: want start, signal or signal-with-start"},
		{"no signal", in(`{"mode":"signal","id":"x"}`), "workflows.it.signal: is needed: the name of the signal"},
		{"a signal of no use", in(`{"signal":"x"}`), "workflows.it.signal: has no use with mode: start"},
		{"nothing to signal", in(`{"mode":"signal-with-start","signal":"x"}`), "workflows.it.id: is needed: which workflow is signalled, like order-{input.order}"},
		{"a type of no use", in(`{"mode":"signal","signal":"x","id":"x","type":"T"}`), "workflows.it.type: has no use with mode: signal"},
		{"a queue of no use", in(`{"mode":"signal","signal":"x","id":"x","task_queue":"T"}`), "workflows.it.task_queue: has no use with mode: signal"},
		{"a reuse of no use", in(`{"mode":"signal","signal":"x","id":"x","reuse":"never"}`), "workflows.it.reuse: has no use with mode: signal"},
		{"time-outs of no use", in(`{"mode":"signal","signal":"x","id":"x","timeouts":{"run":"1s"}}`), "workflows.it.timeouts: have no use with mode: signal"},
		{"nothing to wait for", in(`{"mode":"signal","signal":"x","id":"x","wait":true}`), "workflows.it.wait: has no use with mode: signal, which does not start what it would wait for"},
		{"nothing to cancel", in(`{"cancel":true}`), "workflows.it.cancel: needs wait: true"},
		{"a reuse", in(`{"reuse":"always"}`), "workflows.it.reuse: want never, failed or closed"},
		{"a placeholder", in(`{"id":"x-{event.data}"}`), "workflows.it.id: has a placeholder that is none of {key}, {workflow}, {input.…} and {event.…} (id, source, type, subject, time)"},
		{"a brace", in(`{"id":"x-{key"}`), "workflows.it.id: has a placeholder that is none of {key}, {workflow}, {input.…} and {event.…} (id, source, type, subject, time)"},
		{"half a placeholder", in(`{"id":"{input.}"}`), "workflows.it.id: has a placeholder that is none of {key}, {workflow}, {input.…} and {event.…} (id, source, type, subject, time)"},
		{"a time-out", in(`{"timeouts":{"run":"soon"}}`), "workflows.it.timeouts.run: is not a length of time like 10s or 24h"},
		{"no authority", `{"tls":{"ca":"none.pem"},"task_queue":"q","workflows":{"it":{}}}`, "tls.ca: no such file or directory"},
		{"no key", `{"tls":{"cert":"c.pem"},"task_queue":"q","workflows":{"it":{}}}`, "tls.cert: needs a key"},
		{"no cert", `{"tls":{"key":"c.pem"},"task_queue":"q","workflows":{"it":{}}}`, "tls.key: needs a cert"},
		{"all at once", `{"address":"x","workflows":{"a":{},"b":{"mode":"x","task_queue":"q"}}}`,
			"address: want host:port, like 127.0.0.1:7233\nworkflows.a.task_queue: is needed, here or for all workflows\nworkflows.b.mode: want start, signal or signal-with-start"},
		{"good", in(`{"mode":"signal-with-start","signal":"x","id":"{input.a.b}{key}","reuse":"failed","wait":true,"cancel":false,"timeouts":{"task":"10s"}}`), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := new(engine).Configure(t.Context(), &sdk.Config{JSON: []byte(tt.config), BaseDir: t.TempDir()})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Error() != tt.want) {
				t.Errorf("got  %v\nwant %v", err, tt.want)
			}
		})
	}
}

// configured is an engine with a configuration that is right.
func configured(t *testing.T, config, dir string) *engine {
	t.Helper()
	e := new(engine)
	if err := e.Configure(t.Context(), &sdk.Config{JSON: []byte(config), BaseDir: dir}); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestCheck(t *testing.T) {
	e := configured(t, `{"task_queue":"q","workflows":{"it":{"id":"{input.order}-{input.who.name}-{key}"},"plain":{}}}`, "")
	tests := []struct {
		name, workflow, constant string
		computed                 []string
		want                     string
	}{
		{"all there", "it", `{"who":{"name":"x"},"more":1}`, []string{"order"}, ""},
		{"one missing", "it", `{"who":{"name":"x"}}`, nil, `with has no "order", which the id of the workflow "it" uses`},
		{"one missing within", "it", `{"who":{"nam":"x"},"order":1}`, nil, `with has no "who.name", which the id of the workflow "it" uses`},
		{"no text", "it", `{"who":{"name":"x"},"order":[1]}`, nil, "order: is neither a text, a number, nor true or false, for the id of the workflow"},
		{"one expression", "it", ``, nil, ""},
		{"any input", "plain", `{"x":1}`, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := e.Check(t.Context(), sdk.Route{Workflow: tt.workflow, Input: []byte(tt.constant), Computed: tt.computed})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Error() != tt.want) {
				t.Errorf("got  %v\nwant %v", err, tt.want)
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	e := configured(t, `{"task_queue":"q","workflows":{
		"d":{"description":"packs"},"a":{"type":"T"},"b":{"mode":"signal","signal":"s","id":"{input.a}{input.b.c}"},
		"c":{"mode":"signal-with-start","signal":"s","id":"x","task_queue":"r"}}}`, "")
	d, err := e.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range d.Workflows {
		got = append(got, w.Name+": "+w.Description+" "+string(w.InputSchema))
	}
	const want = `a: starts T on q |b: signals s {"properties":{"a":{},"b":{}},"required":["a","b"],"type":"object"}|c: signals s, starts c on r |d: packs `
	if d.Name != "temporal" || strings.Join(got, "|") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
	}
	if d, err = new(engine).Describe(t.Context()); err != nil || len(d.Workflows) != 0 {
		t.Errorf("before it is configured: %+v %v", d, err)
	}
}
