//go:build unix

package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/event-gateway/gateway/gateway"
	"github.com/event-gateway/gateway/gateway/config"
)

// Every whole configuration in the documentation is valid.
func TestConfigurationsInDocs(t *testing.T) {
	files, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```")
	found := 0
	for _, file := range append(files, "../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range block.FindAllStringSubmatch(string(text), -1) {
			if !strings.HasPrefix(match[1], "version: 1\n") {
				continue // a part of one
			}
			found++
			path := filepath.Join(t.TempDir(), "gateway.yaml")
			write(t, path, []byte(match[1]))
			problems, _ := gateway.Validate(path, config.Options{NoSecrets: true}, 1)
			if len(problems) > 0 {
				t.Errorf("%s\n%s", file, problems.Text())
			}
		}
	}
	if found < 3 {
		t.Errorf("only %d configurations were found", found)
	}
}

// Every whole program in the documentation compiles.
func TestProgramsInDocs(t *testing.T) {
	files, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range regexp.MustCompile("(?s)```go\n(package main.*?)```").FindAllSubmatch(text, -1) {
			found++
			dir := t.TempDir()
			write(t, filepath.Join(dir, "main.go"), block[1])
			build := exec.Command("go", "build", "-o", filepath.Join(dir, "program"), filepath.Join(dir, "main.go"))
			if out, err := build.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", file, err, out)
			}
		}
	}
	if found == 0 {
		t.Error("there are no programs")
	}
}

// docs/configuration.md names every key that is accepted.
func TestEveryKeyIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys(reflect.TypeFor[config.Config]()) {
		word := regexp.MustCompile(`\b` + regexp.QuoteMeta(key) + `\b`)
		if !word.Match(text) {
			t.Errorf("%q is not in docs/configuration.md", key)
		}
	}
}

// keys are the yaml keys of a struct and of what is in it.
func keys(t reflect.Type) (names []string) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return keys(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if name := t.Field(i).Tag.Get("yaml"); name != "" {
				names = append(append(names, name), keys(t.Field(i).Type)...)
			}
		}
	}
	return names
}
