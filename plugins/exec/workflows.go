//go:build unix

package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

// workflows are the commands and the scripts, by name. The folder is read
// every time, so that a new script is there after a reload.
func (e *engine) workflows() (map[string]command, error) {
	out := maps.Clone(e.commands)
	if e.dir == "" {
		return out, nil
	}
	entries, err := os.ReadDir(e.dir)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", e.dir, reason(err))
	}
	for _, entry := range entries {
		name, ok := e.script(entry)
		if !ok {
			continue
		}
		path := filepath.Join(e.dir, entry.Name())
		if other, taken := out[name]; taken {
			return nil, fmt.Errorf("workflow %q is ambiguous: %s and %s", name, other, path)
		}
		out[name] = command{name: name, argv: []string{path}, workDir: e.baseDir}
	}
	return out, nil
}

// script is the workflow that a file is: an executable regular file, or a
// link to one, that isn't hidden.
func (e *engine) script(entry fs.DirEntry) (name string, ok bool) {
	file := entry.Name()
	if strings.HasPrefix(file, ".") {
		return "", false
	}
	info, err := os.Stat(filepath.Join(e.dir, file))
	if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return "", false
	}
	return strings.TrimSuffix(file, filepath.Ext(file)), true
}

// find looks a workflow up among the names that there are: a name is never
// made into a path.
func (e *engine) find(name string) (command, error) {
	commands, err := e.workflows()
	if err != nil {
		return command{}, err
	}
	c, ok := commands[name]
	if !ok {
		return command{}, fmt.Errorf("unknown workflow %q", name)
	}
	return c, nil
}

// hint tells why a script that is there isn't a workflow.
func (e *engine) hint(name string) string {
	entries, err := os.ReadDir(e.dir)
	if err != nil {
		return ""
	}
	for _, entry := range entries {
		file := entry.Name()
		if entry.Type().IsRegular() && strings.TrimSuffix(file, filepath.Ext(file)) == name {
			return fmt.Sprintf(": %s is not executable", file)
		}
	}
	return ""
}
