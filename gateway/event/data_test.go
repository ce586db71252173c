package event

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestData(t *testing.T) {
	type object = map[string]any
	const form = "application/x-www-form-urlencoded"
	for _, test := range []struct {
		name, contentType, body string
		want                    any
	}{
		{"json", "application/json", `{"a":[1,true,null,"x"]}`, object{"a": []any{json.Number("1"), true, nil, "x"}}},
		{"json with a parameter", "application/json; charset=utf-8", `"x"`, "x"},
		{"a suffix", "application/cloudevents+json", `{}`, object{}},
		{"no type is json", "", ` {"n":12345678901234567890.5} `, object{"n": json.Number("12345678901234567890.5")}},
		{"empty", "application/json", "", nil},
		{"form", form, "a=1&b=x%20y", object{"a": "1", "b": "x y"}},
		{"form with a value twice", form, "a=1&a=2", object{"a": "1,2"}},
		{"form in capitals", "Application/X-WWW-Form-Urlencoded; charset=utf-8", "a=1", object{"a": "1"}},
		{"github's form", form, `payload=%7B%22ref%22%3A%22main%22%7D`, object{"ref": "main"}},
		{"payload that is not json", form, "payload=main%20street", object{"payload": "main street"}},
		{"payload beside others", form, "payload=%7B%7D&x=1", object{"payload": "{}", "x": "1"}},
		{"text", "text/plain", "hello", "hello"},
		{"xml", "text/xml", "<a/>", "<a/>"},
		{"bytes", "application/octet-stream", "a\xffb", "a\uFFFDb"},
		{"a type that is none", "/;;", "x", "x"},
	} {
		ev := &Event{ContentType: test.contentType, Body: []byte(test.body)}
		got, err := ev.Data()
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %#v, %v; want %#v", test.name, got, err, test.want)
		}
		if err := ev.Valid(); err != nil {
			t.Errorf("%s: not valid: %v", test.name, err)
		}
		again, _ := ev.Data()
		if reflect.ValueOf(again).Kind() == reflect.Map && reflect.ValueOf(again).Pointer() != reflect.ValueOf(got).Pointer() {
			t.Errorf("%s: decoded twice", test.name)
		}
	}
}

func TestDataErrors(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	for _, test := range []struct{ name, contentType, body, want string }{
		{"no json", "", "{", "body: not valid JSON at byte 2"},
		{"half a json", "application/json", `{"a":1`, "body: not valid JSON"},
		{"two values", "application/json", `{} {}`, "body: not valid JSON at byte 4"},
		{"rubbish behind", "application/json", `{} x`, "body: not valid JSON at byte 4"},
		{"no form", form, "a=%zz", "body: not a valid form"},
		{"very deep", "", strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000), "body: not valid JSON"},
	} {
		ev := &Event{ContentType: test.contentType, Body: []byte(test.body)}
		data, err := ev.Data()
		if err == nil || !strings.HasPrefix(err.Error(), test.want) || data != nil {
			t.Errorf("%s: %v, %v; want %q", test.name, data, err, test.want)
		}
		if ev.Valid() == nil {
			t.Errorf("%s: valid", test.name)
		}
		if ev.JSON() != nil {
			t.Errorf("%s: has JSON", test.name)
		}
	}
}

func TestJSON(t *testing.T) {
	for _, test := range []struct{ contentType, body, want string }{
		{"application/json", `{"a":1}`, ""}, // is JSON itself
		{"application/x-www-form-urlencoded", "a=1", `{"a":"1"}`},
		{"text/plain", "x\n", `"x\n"`},
		{"text/plain", "", ""},
	} {
		ev := &Event{ContentType: test.contentType, Body: []byte(test.body)}
		if got := string(ev.JSON()); got != test.want {
			t.Errorf("%s %q: %s, want %s", test.contentType, test.body, got, test.want)
		}
	}
}

// FuzzData: any bytes under any type decode or fail; what decodes can be
// written as JSON, and Valid says the same as Data.
func FuzzData(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"a":[1e999,"\ud800"]}`, "a=1&a=2", "payload=%7B%7D", "\xff", "[[[[", "{} {}"} {
		for _, contentType := range []string{"", "application/json", "application/x-www-form-urlencoded", "text/plain; a=b", ";"} {
			f.Add(contentType, []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		ev := &Event{ContentType: contentType, Body: body}
		data, err := ev.Data()
		valid := (&Event{ContentType: contentType, Body: body}).Valid()
		if (err == nil) != (valid == nil) {
			t.Errorf("Data says %v, Valid says %v", err, valid)
		}
		if err != nil {
			return
		}
		if _, err := json.Marshal(data); err != nil {
			t.Errorf("%#v does not marshal: %v", data, err)
		}
		if text := ev.JSON(); text != nil && !json.Valid(text) {
			t.Errorf("JSON gave %q", text)
		}
	})
}
