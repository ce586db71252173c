package schema_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/webhook/schema"
)

func compile(t testing.TB, text string) *schema.Schema {
	t.Helper()
	s, err := schema.Compile([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

// check is what a schema says of a body; empty when nothing.
func check(t testing.TB, s *schema.Schema, body string) string {
	t.Helper()
	data, err := (&event.Event{Body: []byte(body)}).Data()
	if err != nil {
		t.Fatal(err)
	}
	err = s.Check(data)
	if err == nil {
		return ""
	}
	var invalid *schema.Invalid
	if !errors.As(err, &invalid) {
		t.Fatalf("%v is not for the sender", err)
	}
	return invalid.Message
}

const order = `{
  "type": "object",
  "properties": {"id": {"type": "integer"}, "email": {"type": "string", "pattern": "^[^@]+@[^@]+$"}, "next": {"$ref": "#"}},
  "required": ["id"], "additionalProperties": false
}`

func TestCheck(t *testing.T) {
	s := compile(t, order)
	for body, want := range map[string]string{
		`{"id":1,"email":"a@b"}`:         "",
		`{"id":1.0}`:                     "",
		`{"id":12345678901234567890123}`: "",
		`{"id":"1"}`:                     "/id: got string, want integer",
		`{}`:                             "/: missing property 'id'",
		`[]`:                             "/: got array, want object",
		`null`:                           "/: got null, want object",
		``:                               "/: got null, want object",
		`{"id":1,"next":{"id":null}}`:    "/next/id: got null, want integer",
		`{"id":1,"email":1,"x":2}`:       "/: additional properties 'x' not allowed; /email: got number, want string",
		`{"id":1,"x\u0000\u0085\ny":1}`:  `/: additional properties 'x\x00\u0085\ny' not allowed`,
		`{"id":1e999999999}`:             "a number is beyond what can be compared",
		`{"id":1,"next":[1e-999999]}`:    "a number is beyond what can be compared",
	} {
		if got := check(t, s, body); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

func TestCheckIsBounded(t *testing.T) {
	s := compile(t, `{"items":{"type":"string"},"additionalProperties":false}`)
	if got := check(t, s, "["+strings.Repeat("1,", 99)+"1]"); !strings.HasSuffix(got, "; and 95 more") {
		t.Errorf("%s", got)
	}
	if got := check(t, s, `{"`+strings.Repeat("é", 5000)+`":1}`); len(got) > 1010 || !utf8.ValidString(got) {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

// Data that is made to be slow to check is not slow to check.
func TestCheckIsQuick(t *testing.T) {
	for text, body := range map[string]string{
		`{"items":{"type":"integer","minimum":2}}`:  "[" + strings.Repeat("1e99999,", 100_000) + "2]",
		`{"items":{"multipleOf":0.01}}`:             "[" + strings.Repeat("1e300,", 20_000) + "2]",
		`{"uniqueItems":true}`:                      distinct(20_000),
		`{"items":{"pattern":"^(a+)+$"}}`:           `["` + strings.Repeat("a", 100_000) + `!"]`,
		`{"items":{"$ref":"#"},"uniqueItems":true}`: strings.Repeat("[", 200) + strings.Repeat("]", 200),
	} {
		s, began := compile(t, text), time.Now()
		check(t, s, body)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: took %v", text, took)
		}
	}
}

// distinct is a list of objects no two of which are the same.
func distinct(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"a":[1,2,%d]},`, i)
	}
	return "[" + b.String() + "0]"
}

func TestDrafts(t *testing.T) {
	for text, want := range map[string]string{
		`{"$schema":"http://json-schema.org/draft-07/schema#","format":"email"}`:              "/: 'x' is not valid email: missing @",
		`{"$schema":"https://json-schema.org/draft/2020-12/schema","prefixItems":[true]}`:     "",
		`{"$schema":"http://json-schema.org/draft-04/schema#","type":"string","maxLength":0}`: "/: maxLength: got 1, want 0",
		`{"$id":"https://a.example/s","$ref":"#/$defs/a","$defs":{"a":{"const":"y"}}}`:        "/: value must be 'y'",
		`{"$ref":"http://json-schema.org/draft-07/schema#"}`:                                  "/: got string, want boolean or object",
		`false`: "/: false schema",
	} {
		if got := check(t, compile(t, text), `"x"`); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// FuzzCheck: no data makes checking panic.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"{}", `{"id":1e400}`, `{"id":-0.1e-399,"next":{"id":[]}}`, `{"email":"@"}`, `[[[]]]`, `"\ud800"`, `{"a":{"a":1}}`} {
		f.Add(seed)
	}
	all := compile(f, `{"anyOf":[`+order+`,{"type":"array","uniqueItems":true,"items":{"$ref":"#"},"contains":{"minimum":3}},
		{"multipleOf":0.3,"maximum":7},{"minLength":2,"format":"date-time","not":{"const":"x"}}],"unevaluatedProperties":false}`)
	f.Fuzz(func(t *testing.T, body string) {
		data, err := (&event.Event{Body: []byte(body)}).Data()
		if err == nil {
			_ = all.Check(data)
		}
	})
}

// FuzzCompile: no file makes compiling panic.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{order, "true", `{"$ref":"#/a"}`, `{"$schema":"x"}`, `{"$id":"%"}`, `{"pattern":"("}`, `{"$dynamicRef":"#a"}`, `{"multipleOf":0}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := schema.Compile([]byte(text))
		if err == nil {
			_ = s.Check("x")
		}
	})
}
