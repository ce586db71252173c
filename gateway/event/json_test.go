package event

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"
)

// reference decodes as the standard library does.
func reference(body []byte) (v any, ok bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return nil, false
	}
	_, err := d.Token()
	return v, err == io.EOF
}

func compare(t *testing.T, body []byte) {
	t.Helper()
	want, ok := reference(body)
	got, err := readJSON(body, everything)
	if err != nil && strings.Contains(err.Error(), "nested deeper") {
		return
	}
	if (err == nil) != ok {
		t.Fatalf("%q: %v, the standard library says valid: %v", body, err, ok)
	}
	if ok && !reflect.DeepEqual(got, want) {
		t.Fatalf("%q:\ngot  %#v\nwant %#v", body, got, want)
	}
}

func jsonSeeds() []string {
	return []string{
		`{}`, `[]`, `null`, `true`, `false`, `""`, `0`, `-0`, `1.5e+10`, ` { "a" : [ 1 , { "b" : null } ] } `,
		`{"a":1,"a":2}`, `"\u00e9\ud83d\ude00\n\t\"\\\/\b\f\r"`, `"\ud83d"`, `"\ud83dx"`, `"\ud83d\ud83d"`, `"\ude00"`, `"\ud83d\u0041"`,
		"\"\xff\xfe\"", "\"a\\n\xff\"", "\"\xed\xa0\x80\"", `9007199254740993`, "\"\x00\"", "\"\x1f\"", "\"\x7f\"",
		``, ` `, `{`, `[`, `"`, `"\`, `"\u`, `"\u12`, `"\x"`, `{"a"}`, `{"a":}`, `{"a":1,}`, `[1,]`, `[,1]`, `01`, `-`, `1.`, `.5`, `1e`, `+1`,
		`tru`, `nul`, `nan`, `1 2`, `{}{}`, "\ufeff{}", `{a:1}`, `{'a':1}`, `"a" "b"`, `[1 2]`, "\x00", "1\x00",
		strings.Repeat("[", 300), strings.Repeat("[", 200) + strings.Repeat("]", 200),
	}
}

// What the standard library takes is taken and read alike; nothing else is.
func TestDecodeJSONIsTheStandardLibrarys(t *testing.T) {
	for _, s := range jsonSeeds() {
		compare(t, []byte(s))
	}
}

// Strings are read eight bytes at a time: every byte counts at every place.
func TestEveryByteOfAString(t *testing.T) {
	for at := range 19 {
		for c := range 256 {
			text := []byte(`"abcdefghijklmnopqrs"`)
			text[1+at] = byte(c)
			compare(t, text)
			compare(t, append(text, `n"`...))
		}
	}
}

func FuzzDecodeJSON(f *testing.F) {
	for _, s := range jsonSeeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(compare)
}

func TestJSONErrorsSayWhere(t *testing.T) {
	for body, want := range map[string]string{
		`{"a": tru}`:             `byte 7: a value was expected`,
		`{"a": 1`:                `byte 8: a comma or '}' was expected`,
		`{"a": 1} x`:             `byte 10: a second value or stray text`,
		"{\"a\": \"\n\"}":        `byte 8: a control character in a string`,
		strings.Repeat("[", 257): `byte 257: nested deeper than 256`,
		`"\ud8zz"`:               `byte 2: four hexadecimal digits`,
		``:                       `byte 1: it ends too early`,
	} {
		if _, err := readJSON([]byte(body), everything); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %s", body, err, want)
		}
	}
}

func push() []byte {
	var b bytes.Buffer
	b.WriteString(`{"ref":"refs/heads/main","repository":{"full_name":"acme/shop","id":123456789},"commits":[`)
	for i := range 8 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"id":"0123456789abcdef0123456789abcdef01234567","message":"fix: a thing","modified":["a.go","b.go"],"n":1}`)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

func BenchmarkDecodeJSON(b *testing.B) {
	body := push()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readJSON(body, everything); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStandardLibrary(b *testing.B) {
	body := push()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := reference(body); !ok {
			b.Fatal("refused")
		}
	}
}
