package write_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/config/write"
	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/expr"
)

func decode(t testing.TB, text string) (v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// read writes the data as the input of a route and as the data of a schedule,
// has a gateway's configuration read it, and returns what becomes of both.
func read(t testing.TB, v any) (input, data any) {
	t.Helper()
	route, err := write.Entry("routes.r", write.Field{Key: "events", Value: []string{"a.${X}"}},
		write.Field{Key: "run", Value: "exec/w"}, write.Field{Key: "with", Value: write.Constant{Value: v}})
	if err != nil {
		t.Fatal(err)
	}
	schedule, err := write.Entry("schedules.s", write.Field{Key: "every", Value: "5s"}, write.Field{Key: "data", Value: v})
	if err != nil {
		t.Fatal(err)
	}
	merged, err := write.Merge([][]byte{route, schedule})
	if err != nil {
		t.Fatal(err)
	}
	top := "version: 1\nengines: {exec: {plugin: /exec}}\n"
	doc, problems := config.Parse("gateway.yaml", []byte(top), config.Options{Overlay: []config.Entry{
		{Name: "routes.r", Text: route}, {Name: "schedules.s", Text: schedule},
	}})
	inside, more := config.Parse("gateway.yaml", []byte(top+string(merged)), config.Options{})
	if problems = append(problems, more...); len(problems) > 0 {
		t.Fatalf("%s\n%s", problems, merged)
	}
	if !reflect.DeepEqual(doc.Config.Routes, inside.Config.Routes) || !reflect.DeepEqual(doc.Config.Schedules, inside.Config.Schedules) {
		t.Errorf("exported it is another:\n%s", merged)
	}
	if got := doc.Config.Routes["r"].Events[0]; got != "a.${X}" {
		t.Errorf("event %q", got)
	}
	if got := write.Given(doc.Config.Routes["r"].With); !reflect.DeepEqual(got, v) {
		t.Errorf("given %#v, not %#v", got, v)
	}
	template, err := expr.New().Template(doc.Config.Routes["r"].With)
	if err != nil {
		t.Fatalf("%v\n%s", err, route)
	}
	rendered, err := template.Render(&event.Event{ID: "1", Source: "/api", Type: "a", Time: time.Unix(1, 0)})
	if err != nil {
		t.Fatalf("%v\n%s", err, route)
	}
	if raw := doc.Config.Schedules["s"].Data; raw != nil {
		data = decode(t, string(raw))
	}
	return decode(t, string(rendered)), data
}

func check(t testing.TB, v any) {
	t.Helper()
	input, data := read(t, v)
	if !reflect.DeepEqual(input, v) {
		t.Errorf("input: %#v became %#v", v, input)
	}
	if !reflect.DeepEqual(data, v) {
		t.Errorf("data: %#v became %#v", v, data)
	}
}

// What is written is read as it was, whatever looks like something else.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"priority":"high","notify_on_completion":true}`, `{}`, `[]`, `{"a":{"b":[],"c":{}},"d":[[1],{"e":null}]}`,
		`[0,-0,1.50,1e5,1E+2,12345678901234567890123,1e400,-1E-400,0.1]`,
		`["", " ", "null", "true", "on", "010", "1_000", "0x10", "2026-01-01", "~", "-", "- a", "a: b", "a #b", "<<", "!x", "&a", "*a", "%", "@", "|", ">", "'", "\""]`,
		`{"<<":1,"null":2,"":3,"a b":4,"1":5,"true":6,"!x":7,"${env:X}":8,"$${":9}`,
		`["\u0000\u0007\u001b\u007f\u0085\u00a0\u2028\ufeff\ufffe\uffff", "é😀", "a\nb\n", "\n a", "a\r\nb", "\t", "trailing "]`,
		`["${env:HOME}", "$${env:HOME}", "$$${x", "${", "$", "$$", "${file:/etc/passwd}", "a ${b} c ${d"]`,
		`["${{ event.data }}", "${{", "}}", "$${{ 1 }}", "$$${{", "${{${{", "${{ a ${env:X} }} ${env:Y}", "${{ a ${env:X}", "${{{", "${${{"]`,
	} {
		check(t, decode(t, text))
	}
}

func FuzzRoundTrip(f *testing.F) {
	f.Add(`{"a":["${{ x }}","${env:X}",1e5]}`)
	f.Add(`"$${{${"`)
	f.Fuzz(func(t *testing.T, text string) {
		var v any
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if d.Decode(&v) != nil || v == nil || strings.Count(text, "[")+strings.Count(text, "{") > 90 || hasKey(v, "${{") {
			return // null is the absence of data, depth is bounded, and no key is computed
		}
		check(t, v)
	})
}

// Any text keeps its characters.
func FuzzText(f *testing.F) {
	f.Add("${{ a }} $${ ${env:X}")
	f.Fuzz(func(t *testing.T, text string) {
		quoted, err := json.Marshal(text)
		if err != nil {
			return
		}
		check(t, decode(t, string(quoted)))
	})
}

func hasKey(v any, part string) bool {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if hasKey(item, part) {
				return true
			}
		}
	case map[string]any:
		for key, item := range v {
			if strings.Contains(key, part) || hasKey(item, part) {
				return true
			}
		}
	}
	return false
}

func TestEntryIsForPeople(t *testing.T) {
	t.Parallel()
	text, err := write.Entry("routes.payment_received-order_processing",
		write.Field{Key: "events", Value: []string{"payment_received"}}, write.Field{Key: "run", Value: "order_processing"},
		write.Field{Key: "with", Value: write.Constant{Value: decode(t, `{"priority":"high","notify_on_completion":true,"n":10}`)}})
	const want = `routes:
  payment_received-order_processing:
    events: [payment_received]
    run: order_processing
    with:
      n: 10
      notify_on_completion: true
      priority: high
`
	if err != nil || string(text) != want {
		t.Errorf("%v\n%s", err, text)
	}
	if merged, err := write.Merge(nil); err != nil || len(bytes.TrimSpace(merged)) > 0 {
		t.Errorf("nothing merged: %q %v", merged, err)
	}
	for _, broken := range []string{"", "a: [", "- a", "a"} {
		if _, err := write.Merge([][]byte{[]byte(broken)}); err == nil {
			t.Errorf("merged %q", broken)
		}
	}
}
