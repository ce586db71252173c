package config

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// No more of a token is kept than its digest, whatever it came from: neither in
// the configuration nor among the files that were read.
const redacted = "[redacted]"

func TestTokensAreDigested(t *testing.T) {
	t.Parallel()
	const inEnv, inFile = "a-token-from-the-environment", "a-token-from-a-file-of-tests"
	dir := t.TempDir()
	for name, text := range map[string]string{"/token": inFile + "\n", "/gateway.yaml": `version: 1
server: {tokens: {a: {role: read, token: "${env:T}"}, b: {role: send, token: "${file:token}"}}}
`} {
		if err := os.WriteFile(dir+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	doc, problems := Load(dir+"/gateway.yaml", Options{Env: func(string) (string, bool) { return inEnv, true }})
	if len(problems) > 0 {
		t.Fatal(problems.Text())
	}
	var seen strings.Builder
	dump(&seen, reflect.ValueOf(doc), map[uintptr]bool{})
	if strings.Contains(seen.String(), "a-token-from") {
		t.Error("a token is still there")
	}
	if !strings.Contains(seen.String(), "${file:token}") {
		t.Error("nothing was found: the search is broken")
	}
	a, b := doc.Config.Server.Tokens["a"].Token, doc.Config.Server.Tokens["b"].Token
	if a.Sum() == b.Sum() || a.Sum() == (Hashed{}).Sum() {
		t.Error("the digests are not those of the tokens")
	}
	text := fmt.Sprintf("%v %+v %#v %d %+v", a, a, a, &a, doc.Config.Server)
	if strings.Contains(text, fmt.Sprint(a.Sum())) || strings.Contains(text, fmt.Sprintf("%x", a.Sum())) || !strings.Contains(text, redacted) {
		t.Errorf("printed as %s", text)
	}
}

// dump writes down all text that can be reached from a value.
func dump(to *strings.Builder, v reflect.Value, seen map[uintptr]bool) {
	switch v.Kind() {
	case reflect.String:
		to.WriteString(v.String() + "\n")
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] {
			return
		}
		seen[v.Pointer()] = true
		dump(to, v.Elem(), seen)
	case reflect.Interface:
		if !v.IsNil() {
			dump(to, v.Elem(), seen)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			dump(to, v.Field(i), seen)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			dump(to, it.Key(), seen)
			dump(to, it.Value(), seen)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			to.Write(v.Bytes())
			return
		}
		for i := range v.Len() {
			dump(to, v.Index(i), seen)
		}
	}
}
