//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/event-gateway/gateway/plugins/sdk"
)

// config is the `config:` of gateway.yaml.
type config struct {
	Dir      string                   `json:"dir"`
	Commands map[string]commandConfig `json:"commands"`
}

type commandConfig struct {
	Command []string          `json:"command"`
	Dir     string            `json:"dir"`
	Env     map[string]string `json:"env"`
	Timeout string            `json:"timeout"`
}

// Configure reports all mistakes at once.
func (e *engine) Configure(_ context.Context, c *sdk.Config) error {
	var cfg config
	if err := c.Decode(&cfg); err != nil {
		return err
	}
	if cfg.Dir == "" && len(cfg.Commands) == 0 {
		return sdk.Problem{Message: "dir or commands is needed: there is nothing to run"}
	}
	e.baseDir, e.commands = c.BaseDir, map[string]command{}
	var problems []error
	for _, name := range sorted(cfg.Commands) {
		command, err := newCommand(name, cfg.Commands[name], c.BaseDir)
		problems = append(problems, err)
		e.commands[name] = command
	}
	if cfg.Dir != "" {
		e.dir = under(c.BaseDir, cfg.Dir)
		if _, err := e.workflows(); err != nil {
			problems = append(problems, sdk.Problem{Path: []string{"dir"}, Message: err.Error()})
		}
	}
	return errors.Join(problems...)
}

func newCommand(name string, c commandConfig, base string) (command, error) {
	out := command{name: name, workDir: base, env: c.Env}
	var problems []error
	add := func(key string, err error) {
		if err != nil {
			problems = append(problems, sdk.Problem{Path: []string{"commands", name, key}, Message: err.Error()})
		}
	}
	var err error
	out.argv, err = argv(base, c.Command)
	add("command", err)
	out.timeout, err = timeout(c.Timeout)
	add("timeout", err)
	for _, key := range sorted(c.Env) {
		add("env", checkEnv(key, c.Env[key]))
	}
	if c.Dir != "" {
		out.workDir = under(base, c.Dir)
		add("dir", isDir(out.workDir))
	}
	return out, errors.Join(problems...)
}

// argv is the command with its program as an absolute path: found in PATH
// when it is a bare name, else from the folder of gateway.yaml.
func argv(base string, words []string) ([]string, error) {
	if len(words) == 0 || words[0] == "" {
		return nil, errors.New("needs at least the program")
	}
	if strings.Contains(strings.Join(words, ""), "\x00") {
		return nil, errors.New("holds a NUL, which ends an argument")
	}
	program := words[0]
	if strings.Contains(program, "/") {
		program = under(base, program)
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", words[0], reason(err))
	}
	return append([]string{path}, words[1:]...), nil
}

func timeout(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is not a length of time like 60s or 5m", s)
	}
	return d, nil
}

func checkEnv(key, value string) error {
	if key == "" || strings.ContainsAny(key, "=\x00") {
		return fmt.Errorf("%q can't be the name of a variable", key)
	}
	if internal(key) {
		return fmt.Errorf("%q is set by the gateway", key)
	}
	if strings.Contains(value, "\x00") {
		return fmt.Errorf("%q holds a NUL, which ends a variable", key)
	}
	return nil
}

func isDir(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%q: %w", path, reason(err))
	}
	if !info.IsDir() {
		return fmt.Errorf("%q is not a folder", path)
	}
	return nil
}

// reason is an error without the operation and the path, which the reader
// has in front of him.
func reason(err error) error {
	if e, ok := errors.AsType[*exec.Error](err); ok {
		err = e.Err
	}
	if e, ok := errors.AsType[*os.PathError](err); ok {
		err = e.Err
	}
	return err
}

func under(base, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(base, path)
}

func sorted[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
