package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite golden files")

// testOptions are the surroundings of all files in testdata.
func testOptions() Options {
	env := map[string]string{
		"SECRET": "0123456789abcdef0123456789abcdef", "OTHER_SECRET": "fedcba9876543210fedcba9876543210",
		"EMPTY": "", "SHORT": "tooshort", "PLACEHOLDER": "change-me-change-me", "WORD": "word",
	}
	return Options{
		Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Now: func() time.Time { return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) },
	}
}

// TestBad: each file of testdata/bad breaks the rule it is named after, and
// what is said about it is in the golden file beside it.
func TestBad(t *testing.T) {
	t.Parallel()
	for _, file := range glob(t, "testdata/bad/*.yaml") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			_, problems := Load(file, testOptions())
			got := strings.ReplaceAll(problems.Text(), "testdata/bad/", "")
			if got == "" {
				t.Fatal("no problem was found")
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden", got)
			for _, name := range []string{"0123456789abcdef0", "literal-secret-literal", "tooshort", "change-me", "reflect", "map[", "interface", "yaml: ", "yaml.v3", "!!"} {
				if strings.Contains(got, name) {
					t.Errorf("says %q:\n%s", name, got)
				}
			}
		})
	}
}

// TestGood: files of testdata/good are free of problems.
func TestGood(t *testing.T) {
	t.Parallel()
	for _, file := range glob(t, "testdata/good/*.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			if _, problems := Load(file, testOptions()); len(problems) > 0 {
				t.Fatal(problems.Text())
			}
		})
	}
}

func glob(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("glob %s: %d files, %v", pattern, len(files), err)
	}
	return files
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n--- want\n%s--- got\n%s", file, want, got)
	}
}
