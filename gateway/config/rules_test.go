package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Of a secret's file exactly one line end is not part of it; any other control
// character is a mistake that somebody should hear of. It is a rule of the
// verifier, the seventh, that is kept here.
func TestRule7LineEnds(t *testing.T) {
	t.Parallel()
	const secret = "0123456789abcdef"
	for content, want := range map[string]string{
		secret: "", secret + "\n": "", secret + "\r\n": "",
		secret + "\n\n": "control character", "\n" + secret: "control character", secret + "\t": "control character",
		secret + "\x7f": "control character", secret[1:] + "\n": "has 15 bytes", "\n": "is empty", "": "is empty",
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "gateway.yaml")
		const text = "version: 1\nwebhooks: {w: {scheme: github, secrets: [\"${file:secret}\"]}}\n"
		for name, content := range map[string]string{path: text, filepath.Join(dir, "secret"): content} {
			if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		doc, problems := Load(path, testOptions())
		if want != "" {
			if !strings.Contains(problems.Text(), want) {
				t.Errorf("%q: %s, want %s", content, problems.Text(), want)
			}
			continue
		}
		if got := doc.Config.Webhooks["w"].Secrets; len(problems) > 0 || string(got[0].Value.Reveal()) != secret {
			t.Errorf("%q: %q, %s", content, got[0].Value.Reveal(), problems.Text())
		}
	}
}
