// Package scaffold makes the project of an engine: all of its files, so that it
// builds, passes its tests and runs a workflow as it is. examples/engine-go,
// engine-node and engine-python are what it makes.
package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/event-gateway/gateway/plugins/sdk/proto"
)

//go:embed all:templates
var templates embed.FS

// Languages are those that there are templates for.
func Languages() []string { return []string{"go", "node", "python"} }

// Project is what is made.
type Project struct {
	// Name of the engine, its folder and its package.
	Name string
	// Language is one of Languages.
	Language string
	// Version of the gateway whose SDK a Go project requires, and SDK its
	// source when that version isn't published.
	Version, SDK string
}

// Program is what gateway.yaml names.
func (p Project) Program() string {
	switch p.Language {
	case "node":
		return "./engine.js"
	case "python":
		return "./engine"
	}
	return "./" + p.Name
}

// CheckName tells what is wrong with a name that becomes part of paths, of
// gateway.yaml and of package names in three languages.
func CheckName(name string) error {
	if !regexp.MustCompile(`^[a-z][a-z0-9-]{0,48}[a-z0-9]$`).MatchString(name) {
		return fmt.Errorf("name %q: use 2 to 50 lower-case letters, digits and dashes, a letter first", name)
	}
	return nil
}

// Files are the project's files, by their slash-separated path.
func (p Project) Files() (map[string][]byte, error) {
	files := map[string][]byte{}
	root := path.Join("templates", p.Language)
	err := fs.WalkDir(templates, root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		to := strings.TrimSuffix(strings.TrimPrefix(name, root+"/"), ".tmpl")
		files[to], err = p.fill(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	if files["gateway.yaml"], err = p.fill("templates/gateway.yaml.tmpl"); err != nil {
		return nil, err
	}
	if p.Language == "node" {
		files["engine.proto"] = []byte(proto.Engine)
	}
	return files, nil
}

// fill fills in a template. What is no template is taken as it is.
func (p Project) fill(name string) ([]byte, error) {
	text, err := templates.ReadFile(name)
	if err != nil || !strings.HasSuffix(name, ".tmpl") {
		return text, err
	}
	t, err := template.New(name).Delims("<%", "%>").Option("missingkey=error").Parse(string(text))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, p)
	return out.Bytes(), err
}

// Write makes the project in a folder, which is made where it is missing. A file
// that is there already is an error, and then nothing is written.
func (p Project) Write(dir string) (names []string, err error) {
	files, err := p.Files()
	if err != nil {
		return nil, err
	}
	names = slices.Sorted(maps.Keys(files))
	for _, name := range names {
		if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is there already: nothing was written", filepath.Join(dir, name))
		}
	}
	for _, name := range names {
		if err := write(filepath.Join(dir, name), files[name]); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// write writes a new file; one that begins with #! is a program.
func write(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a project is no secret
		return err
	}
	mode := fs.FileMode(0o644)
	if bytes.HasPrefix(text, []byte("#!")) {
		mode = 0o755
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
