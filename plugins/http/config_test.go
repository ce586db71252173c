package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/event-gateway/gateway/plugins/sdk"
)

func TestConfigure(t *testing.T) {
	in := func(request string) string { return `{"requests":{"it":` + request + `}}` }
	tests := []struct{ name, config, want string }{
		{"nothing", `null`, "requests: at least one is needed: there is nothing to call"},
		{"a slip", `{"request":{}}`, `request: unknown key (did you mean "requests"?)`},
		{"a slip within", in(`{"url":"https://a.example","metod":"GET"}`), `requests.it.metod: unknown key (did you mean "method"?)`},
		{"no URL", in(`{}`), "requests.it.url: is needed"},
		{"a URL that is none", in(`{"url":"https://a b"}`), "requests.it.url: is not a URL"},
		{"another scheme", in(`{"url":"file:///etc/passwd"}`), "requests.it.url: must begin with https:// or http://"},
		{"no scheme", in(`{"url":"a.example/x"}`), "requests.it.url: must begin with https:// or http://"},
		{"a password", in(`{"url":"https://u:p@a.example"}`), "requests.it.url: holds a user or a password, which belong in the header Authorization"},
		{"a fragment", in(`{"url":"https://a.example/#x"}`), "requests.it.url: has a fragment, which is never sent"},
		{"a host of the event's", in(`{"url":"https://{input.host}/"}`), "requests.it.url: has a placeholder in its host: they may stand in the path and the query only"},
		{"half a host", in(`{"url":"https://a.example{input.x}/"}`), "requests.it.url: has a placeholder in its host: they may stand in the path and the query only"},
		{"a port of the event's", in(`{"url":"https://a.example:80{input.x}"}`), "requests.it.url: has a placeholder in its host: they may stand in the path and the query only"},
		{"a scheme of the event's", in(`{"url":"{input.url}"}`), "requests.it.url: must begin with https:// or http://"},
		{"a placeholder that is none", in(`{"url":"https://a.example/{event.data}"}`), "requests.it.url: has a placeholder that is none of {key}, {workflow}, {input.…} and {event.…} (id, source, type, subject, time, datacontenttype)"},
		{"upwards", in(`{"url":"https://a.example/x/../y"}`), "requests.it.url: has . or .. in its path"},
		{"a private address", in(`{"url":"http://10.0.0.1/"}`), "requests.it.url: 10.0.0.1 is not an address of the public internet, and not under allow"},
		{"an odd address", in(`{"url":"http://0x7f.1/"}`), "requests.it.url: has no host: this is no name, and no address as it is usually written"},
		{"a method", in(`{"url":"https://a.example","method":"TRACE"}`), "requests.it.method: want GET, HEAD, POST, PUT, PATCH or DELETE"},
		{"a body", in(`{"url":"https://a.example","body":"evnet"}`), "requests.it.body: want input, event, envelope, none, or a mapping"},
		{"a body of a GET", in(`{"url":"https://a.example","method":"GET","body":{}}`), "requests.it.body: a GET carries none"},
		{"a placeholder in the body", in(`{"url":"https://a.example","body":{"a":{"b":"{evnt.id}"}}}`), "requests.it.body: a: b: has a placeholder that is none of {key}, {workflow}, {input.…} and {event.…} (id, source, type, subject, time, datacontenttype)"},
		{"a time", in(`{"url":"https://a.example","timeout":"soon"}`), "requests.it.timeout: is not a length of time like 10s or 1m"},
		{"no time", in(`{"url":"https://a.example","timeout":"0s"}`), "requests.it.timeout: is not a length of time like 10s or 1m"},
		{"a secret", in(`{"url":"https://a.example","secrets":["` + vectorSecret + `","plain"]}`), "requests.it.secrets.1: is not whsec_ and base64"},
		{"a status", in(`{"url":"https://a.example","success":["2xx",99]}`), "requests.it.success.1: want a status like 404, or a class like 2xx"},
		{"a size", in(`{"url":"https://a.example","max_output":"2MiB"}`), "requests.it.max_output: want a size up to 1MiB, like 64KiB; 0 keeps nothing"},
		{"our header", in(`{"url":"https://a.example","headers":{"WEBHOOK-id":"x"}}`), "requests.it.headers.WEBHOOK-id: is set by the engine"},
		{"the host", in(`{"url":"https://a.example","headers":{"Host":"x"}}`), "requests.it.headers.Host: is set by the engine"},
		{"no header", in(`{"url":"https://a.example","headers":{"X Y":"x"}}`), "requests.it.headers.X Y: is no name of a header"},
		{"a line end", in(`{"url":"https://a.example","headers":{"X":"a\nb"}}`), "requests.it.headers.X: holds a control character, perhaps a line end"},
		{"a cookie", in(`{"url":"https://a.example","keep":["Set-Cookie"]}`), "requests.it.keep.0: is a credential, which is not kept"},
		{"allow", `{"allow":["10.0.0.0/8","10.0.0.1/8"],"requests":{"it":{"url":"https://a.example"}}}`, "allow.1: is not how the network is written: 10.0.0.0/8"},
		{"no authority", `{"ca":"none.pem","requests":{"it":{"url":"https://a.example"}}}`, "ca: no such file or directory"},
		{"no key", `{"cert":"c.pem","requests":{"it":{"url":"https://a.example"}}}`, "cert: needs a key"},
		{"no cert", `{"key":"c.pem","requests":{"it":{"url":"https://a.example"}}}`, "key: needs a cert"},
		{"all at once", `{"requests":{"a":{},"b":{"url":"https://a.example","method":"X"}}}`, "requests.a.url: is needed\nrequests.b.method: want GET, HEAD, POST, PUT, PATCH or DELETE"},
		{"good", `{"allow":["10.0.0.0/8"],"requests":{"it":{"url":"http://10.0.0.1/{key}","secrets":["` + vectorSecret + `"],"success":["2XX","404",409],"max_output":"1MiB","timeout":"1m"}}}`, ""},
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

func TestCheck(t *testing.T) {
	const tree = `{"url":"https://a.example/{input.order}","headers":{"X":"{input.who.name}"},"body":{"lines":"{input.lines}"}}`
	tests := []struct {
		name, request, constant string
		computed                []string
		want                    string
	}{
		{"all there", tree, `{"who":{"name":"x"}}`, []string{"lines", "order"}, ""},
		{"one missing", tree, `{"who":{"name":"x"},"order":1}`, nil, `with has no "lines", which body of the request "it" uses`},
		{"one missing within", tree, `{"who":{"nam":"x"},"order":1,"lines":[]}`, nil, `with has no "who.name", which headers.X of the request "it" uses`},
		{"no text", tree, `{"who":{"name":"x"},"order":[1],"lines":[]}`, nil, `order: is neither a text, a number, nor true or false, for url of the request "it"`},
		{"one too many", tree, `{"who":{"name":"x"},"order":1,"lines":[],"odrer":2}`, nil, `odrer: nothing in the request "it" uses it`},
		{"a computed one too many", tree, `{"who":{"name":"x"},"order":1,"lines":[]}`, []string{"extra"}, `extra: nothing in the request "it" uses it`},
		{"all are carried", `{"url":"https://a.example/"}`, `{"a":1}`, []string{"b"}, ""},
		{"all are carried in a tree", `{"url":"https://a.example/","body":{"all":"{input}"}}`, `{"a":1}`, []string{"b"}, ""},
		{"none are carried", `{"url":"https://a.example/","method":"GET"}`, `{"a":1}`, nil, `a: nothing in the request "it" uses it`},
		{"the event is", `{"url":"https://a.example/","body":"event"}`, `{"a":1}`, nil, `a: nothing in the request "it" uses it`},
		{"one expression", tree, ``, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := one(t, tt.request, "").Check(t.Context(), sdk.Route{Workflow: "it", Input: []byte(tt.constant), Computed: tt.computed})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Error() != tt.want) {
				t.Errorf("got  %v\nwant %v", err, tt.want)
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	e := configured(t, `{"requests":{
		"b":{"url":"https://a.example/services/T0/B0/XXXXX?token=x","description":"tells the team"},
		"a":{"method":"get","url":"https://a.example/{input.order}/{input.order}?x=y"}}}`, "")
	d, err := e.Describe(t.Context())
	if err != nil || len(d.Workflows) != 2 || d.Name != "http" {
		t.Fatalf("%+v %v", d, err)
	}
	const schema = `{"additionalProperties":false,"properties":{"order":{"type":["string","number","boolean"]}},"required":["order"],"type":"object"}`
	a, b := d.Workflows[0], d.Workflows[1]
	if a.Name != "a" || a.Description != "GET https://a.example" || string(a.InputSchema) != schema {
		t.Errorf("%+v %s", a, a.InputSchema)
	}
	if b.Name != "b" || b.Description != "tells the team" || b.InputSchema != nil {
		t.Errorf("%+v", b)
	}
	if d, err = new(engine).Describe(t.Context()); err != nil || len(d.Workflows) != 0 {
		t.Errorf("before it is configured: %+v %v", d, err)
	}
	_, err = e.Run(t.Context(), &sdk.Request{Workflow: "c"})
	if kind, _ := kindOf(err); kind != "permanent" || !strings.HasPrefix(err.Error(), `unknown workflow "c"`) {
		t.Errorf("%s: %v", kind, err)
	}
	if _, ok := errors.AsType[sdk.Problem](err); ok {
		t.Error("a run has no problems")
	}
}
