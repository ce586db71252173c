package decode

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/event-gateway/gateway/gateway/config/files"
)

func TestExpand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{"plain": "text\n\n", "crlf": "text\r\n", "binary": "\xff", "ref": "${env:WORD}"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refs := References{Dir: dir, Files: files.NewSet(), Env: func(name string) (string, bool) {
		value, ok := map[string]string{"WORD": "word", "EMPTY": ""}[name]
		return value, ok
	}}
	for text, want := range map[string]string{
		"":                                 "",
		"a $ b $5 $$ {x}":                  "a $ b $5 $$ {x}",
		"${env:WORD}${env:WORD}":           "wordword",
		"ü${env:WORD}ü":                    "üwordü",
		"[${env:EMPTY}]":                   "[]",
		"${env:EMPTY:-fallback}":           "fallback",
		"${env:UNSET:-}":                   "",
		"${env:UNSET:-a:-b}":               "a:-b",
		"${env:WORD:-x}":                   "word",
		"$${env:WORD} $${x}":               "${env:WORD} ${x}",
		"$$${env:WORD}":                    "$${env:WORD}",
		"${{ a }}${env:WORD}${{ '${x}' }}": "${{ a }}word${{ '${x}' }}",
		"${{ never closed ${env:WORD}":     "${{ never closed ${env:WORD}",
		"$${{ x }} ${env:WORD}":            "$${{ x }} word",
		"${file:plain}":                    "text\n",
		"${file:crlf}":                     "text",
		"${file:" + dir + "/plain}":        "text\n",
		"${file:ref}":                      "${env:WORD}", // what comes out is not read again
	} {
		got, bad := refs.expand(text)
		if got.Value != want || len(bad) > 0 {
			t.Errorf("%q = %q %v, want %q", text, got.Value, bad, want)
		}
	}
	for text, want := range map[string]string{
		"ü ${env:UNSET}":             "2 environment variable UNSET is not set",
		"${env:}":                    "0 \"\" is not the name",
		"${env:A-B}":                 "0 \"A-B\" is not the name",
		"${env:1A}":                  "0 \"1A\" is not the name",
		"${file:missing}":            "0 file \"missing\": does not exist",
		"${file:binary}":             "0 file \"binary\": is not UTF-8",
		"${file:}":                   "0 unknown reference",
		"${vault:x}":                 "0 unknown reference",
		"${WORD}":                    "0 unknown reference",
		"${":                         "0 a reference is not closed",
		"a $${x} ${env:WORD} ${env:": "20 a reference is not closed",
	} {
		_, bad := refs.expand(text)
		if len(bad) != 1 || !strings.HasPrefix(fmt.Sprint(bad[0].at, " ", bad[0].message), want) {
			t.Errorf("%q: %v, want %s", text, bad, want)
		}
	}
}

// TestGenerateKeepsTheFirst: who comes second gets what is there.
func TestGenerateKeepsTheFirst(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "deep", "secret")
	var seen []string
	for range 2 {
		if err := generate(path); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, string(text))
	}
	if seen[0] != seen[1] || len(seen[0]) != 65 {
		t.Errorf("generated %q, then %q", seen[0], seen[1])
	}
}

// FuzzExpand: text without references comes out as it went in, and columns of
// problems are within the text.
func FuzzExpand(f *testing.F) {
	for _, seed := range []string{"plain", "${env:A}", "$${env:A}", "${{ x }}", "$${{", "${env:A:-b} ${", "ü${x}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		refs := References{Dir: t.TempDir(), Files: files.NewSet(), Env: func(string) (string, bool) { return "", false }}
		got, bad := refs.expand(text)
		for _, b := range bad {
			if runes := []rune(text); b.at < 0 || b.at >= len(runes) || runes[b.at] != '$' {
				t.Errorf("%q: problem at %d: %s", text, b.at, b.message)
			}
		}
		if !strings.Contains(text, "${") && (got.Value != text || got.Origin != Literal || len(bad) > 0) {
			t.Errorf("%q became %q, %v", text, got.Value, bad)
		}
	})
}
