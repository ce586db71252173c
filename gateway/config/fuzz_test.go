package config

import (
	"os"
	"strings"
	"testing"
)

// FuzzParse: whatever the file, there is a document or a problem, every
// problem points into the file, and secrets of the environment never show.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.yaml", "testdata/good/*.yaml"} {
		for _, file := range glob(f, pattern) {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		doc, problems := parseText(text, testOptions())
		lines := strings.Count(text, "\n") + 1
		for _, p := range problems {
			if p.Line < 1 || p.Line > lines || p.Col < 1 || p.EndCol < p.Col || p.Message == "" {
				t.Errorf("%+v in %d lines", p, lines)
			}
		}
		if !problems.Failed() && doc.Config.Version != 1 {
			t.Errorf("version %d without a problem", doc.Config.Version)
		}
		if strings.Contains(problems.Text(), "0123456789abcdef0") && !strings.Contains(text, "0123456789abcdef0") {
			t.Errorf("a secret shows:\n%s", problems.Text())
		}
		doc.ProblemIn("routes.r.when", 1, 3, "m", "")
		doc.Problem("webhooks.w.secrets[0].value", "m", "")
	})
}
