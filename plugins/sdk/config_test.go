package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

type sample struct {
	Dir   string           `json:"dir"`
	Times int              `json:"times"`
	List  []map[string]int `json:"list"`
	Named map[string]struct {
		On bool `json:"on"`
	} `json:"named"`
	Raw json.RawMessage `json:"raw"`
}

func TestDecode(t *testing.T) {
	tests := []struct{ json, want string }{
		{`null`, ""},
		{``, ""},
		{`{"dir":"x","raw":{"any":{"thing":1}},"named":{"a":{"on":true}}}`, ""},
		{`{"dri":"x"}`, `dri: unknown key (did you mean "dir"?)`},
		{`{"Dir":"x"}`, `Dir: unknown key (did you mean "dir"?)`},
		{`{"b":1,"a":2}`, "a: unknown key; b: unknown key"},
		{`{"named":{"a":{"onn":true}}}`, `named.a.onn: unknown key (did you mean "on"?)`},
		{`{"named":{"a":{"on":"yes"}}}`, "named.a.on: must be true or false"},
		{`{"times":"3"}`, "times: must be a number"},
		{`{"list":[{"a":1},{"a":"b"}],"dir":{}}`, "dir: must be a string; list.1.a: must be a number"},
		{`[1]`, "must be a mapping"},
	}
	for _, tt := range tests {
		var v sample
		if got := said(problems((&Config{JSON: []byte(tt.json)}).Decode(&v))); got != tt.want {
			t.Errorf("%s\ngot  %q\nwant %q", tt.json, got, tt.want)
		}
	}
}

func said(all []*enginev1.Problem) string {
	var out []string
	for _, p := range all {
		out = append(out, Problem{Path: p.Path, Message: p.Message}.Error())
	}
	return strings.Join(out, "; ")
}

func TestProblems(t *testing.T) {
	a, b := Problem{Path: []string{"a"}, Message: "bad"}, &Problem{Message: "worse"}
	tests := []struct {
		err  error
		want string
	}{
		{nil, ""},
		{a, "a: bad"},
		{b, "worse"},
		{errors.New("plain"), "plain"},
		{errors.Join(a, nil, errors.Join(b, errors.New("plain"))), "a: bad; worse; plain"},
		{fmt.Errorf("wrapped: %w", a), "a: bad"},
	}
	for _, tt := range tests {
		if got := said(problems(tt.err)); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.err, got, tt.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"named":{"a":{"on":"yes"}},"list":[{"a":1}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var v sample
		for _, p := range problems((&Config{JSON: b}).Decode(&v)) {
			if p.Message == "" {
				t.Error("a problem without a message")
			}
		}
	})
}

type configurable struct {
	Func
	err error
}

func (c configurable) Configure(context.Context, *Config) error { return c.err }

func TestConfigure(t *testing.T) {
	tests := []struct {
		name, config, want string
		engine             Engine
	}{
		{"taken", `{"a":1}`, "", configurable{}},
		{"refused", `{"a":1}`, "a: no", configurable{err: Problem{Path: []string{"a"}, Message: "no"}}},
		{"not a configurer, none", `null`, "", Func(nil)},
		{"not a configurer, empty", ` {} `, "", Func(nil)},
		{"not a configurer, some", `{"a":1}`, "this engine takes no configuration", Func(nil)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newService(tt.engine, 1)
			out, err := s.Configure(t.Context(), &enginev1.ConfigureRequest{Config: []byte(tt.config)})
			if err != nil || said(out.Problems) != tt.want {
				t.Errorf("got %q, %v; want %q", said(out.GetProblems()), err, tt.want)
			}
			_, again := s.Configure(t.Context(), &enginev1.ConfigureRequest{Config: []byte(tt.config)})
			if taken := tt.want == ""; taken != (again != nil) {
				t.Errorf("configured again: %v", again)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	s := newService(Workflows{"deploy": nil, "notify": nil}, 1)
	for name, want := range map[string]string{
		"deploy": "",
		"deplyo": `unknown workflow "deplyo" (did you mean "deploy"?)`,
		"x":      `unknown workflow "x"`,
	} {
		out, err := s.Check(t.Context(), &enginev1.CheckRequest{Workflow: name})
		if err != nil || said(out.Problems) != want {
			t.Errorf("%s: got %q, %v; want %q", name, said(out.GetProblems()), err, want)
		}
	}
}

func TestDescribe(t *testing.T) {
	out, err := newService(Workflows{"b": nil, "a": nil}, 1).Describe(t.Context(), nil)
	if err != nil || out.Name == "" || len(out.Workflows) != 2 || out.Workflows[0].Name != "a" {
		t.Errorf("got %v, %v", out, err)
	}
	if got := fmt.Sprint(out.GetAbilities()); got != "[ABILITY_CHECK]" {
		t.Errorf("abilities %s", got)
	}
	if got := fmt.Sprint(abilities(&durable{}, Description{})); got != "[ABILITY_GET ABILITY_ANSWER]" {
		t.Errorf("abilities %s", got)
	}
}
