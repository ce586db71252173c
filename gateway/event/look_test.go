package event

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// Looking at a place gives what the decoded data has there, and fails where
// decoding fails.
func TestLook(t *testing.T) {
	const body = ` {"a":{"b":[1,{"c":"x\u00e9"},[true,null]],"":0}, "a.b":7, "d":"t", "e":{"f":1},"e":{"g":2}, "l":[[],{}] } `
	for _, test := range []struct {
		path string
		want any
	}{
		{"a/b/1/c", "xé"}, {"a.b", json.Number("7")}, {"d", "t"}, {"d/x", nil}, {"a/b/2/0", true}, {"a/b/2/1", nil}, {"a/b/7", nil},
		{"a/b/-1", nil}, {"a/b/x", nil}, {"e/f", nil}, {"none", nil}, {"l/0", []any{}}, {"l/1", map[string]any{}}, {"l/01", map[string]any{}},
		{"a/b/1", map[string]any{"c": "xé"}},
	} {
		path := strings.Split(test.path, "/")
		fresh, decoded := &Event{Body: []byte(body)}, &Event{Body: []byte(body)}
		if _, err := decoded.Data(); err != nil {
			t.Fatal(err)
		}
		for name, ev := range map[string]*Event{"fresh": fresh, "decoded": decoded} {
			if got, err := ev.Look(path); err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("%s, %s: %#v %v, want %#v", test.path, name, got, err, test.want)
			}
		}
	}
	if got, err := (&Event{Body: []byte(`{"a":1} x`)}).Look([]string{"a"}); err == nil || got != nil {
		t.Errorf("in what is no JSON: %v %v", got, err)
	}
	form := &Event{ContentType: "application/x-www-form-urlencoded", Body: []byte("a=1")}
	if got, err := form.Look([]string{"a"}); err != nil || got != "1" {
		t.Errorf("in a form: %v %v", got, err)
	}
}

// Many looks at one event decode it once.
func TestManyLooksDecode(t *testing.T) {
	ev := &Event{Body: []byte(`{"a":1}`)}
	for range mostLooks {
		if _, err := ev.Look([]string{"a"}); err != nil || ev.decoded.Load() {
			t.Fatalf("decoded early, or %v", err)
		}
	}
	if _, err := ev.Look([]string{"a"}); err != nil || !ev.decoded.Load() {
		t.Errorf("not decoded, or %v", err)
	}
}

// FuzzLook: every place of the decoded data is found without decoding.
func FuzzLook(f *testing.F) {
	for _, seed := range []string{`{"a":[{"b":1}]}`, `{"a":1,"a":{"":[]}}`, `[`, `"\ud800"`, `{"é":"\u00e9"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		data, err := (&Event{Body: body}).Data()
		if valid := (&Event{Body: body}).Valid(); (valid == nil) != (err == nil) || err != nil && valid.Error() != err.Error() {
			t.Fatalf("Data says %v, Valid %v", err, valid)
		}
		if err == nil {
			everywhere(t, body, nil, data, 0)
		}
	})
}

func everywhere(t *testing.T, body []byte, path []string, want any, seen int) {
	if len(path) > 0 {
		if got, err := (&Event{Body: body}).Look(path); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q at %q: %#v %v, want %#v", body, path, got, err, want)
		}
	}
	if object, ok := want.(map[string]any); ok && seen < 50 {
		for key, v := range object {
			everywhere(t, body, append(path[:len(path):len(path)], key), v, seen+len(object))
		}
	}
}

func BenchmarkLook(b *testing.B) {
	body := []byte(`{"ref":"refs/heads/main","repository":{"full_name":"acme/shop","owner":{"login":"acme"}},"text":"` + strings.Repeat("x", 800) + `"}`)
	b.Run("look", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ev := &Event{Body: body}
			_ = ev.Valid()
			_, _ = ev.Look([]string{"repository", "full_name"})
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = (&Event{Body: body}).Data()
		}
	})
}
