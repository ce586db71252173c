package author

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/event-gateway/gateway/gateway/config/decode"
	"github.com/event-gateway/gateway/gateway/config/document"
	"github.com/event-gateway/gateway/gateway/config/files"
	"github.com/event-gateway/gateway/plugins/sdk/sdktest"
)

// checkFile is where a project keeps what its engine is asked.
const checkFile = "engine-check.yaml"

// questions are what an engine is asked: engine-check.yaml, and the flags that
// stand before it.
type questions struct {
	Command   []string          `yaml:"command"`
	Env       map[string]string `yaml:"env" keys:"env"`
	Config    json.RawMessage   `yaml:"config"`
	BadConfig json.RawMessage   `yaml:"bad_config"`
	Workflow  string            `yaml:"workflow"`
	Input     json.RawMessage   `yaml:"input" aka:"with"`
	Slow      string            `yaml:"slow"`
	SlowInput json.RawMessage   `yaml:"slow_input"`
	Asks      string            `yaml:"asks"`
	AsksInput json.RawMessage   `yaml:"asks_input"`
	Answer    json.RawMessage   `yaml:"answer"`

	dir string // where the file lies, and relative paths start
}

// read reads a file; that of a project need not be there.
func read(path string) (questions, error) {
	q := questions{}
	asked := path != ""
	if !asked {
		path = checkFile
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return q, err
	}
	q.dir = dir
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !asked {
		return q, nil
	}
	if err != nil {
		return q, err
	}
	file, problems := document.Parse(path, text)
	if len(problems) == 0 {
		problems = decode.Into(&q, file, decode.References{Dir: dir, Files: files.NewSet(), Env: os.LookupEnv})
	}
	if len(problems) > 0 {
		return q, told(problems)
	}
	return q, nil
}

func told(problems document.Problems) error {
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.String()
	}
	return errors.New(strings.Join(lines, "\n"))
}

// program is a program and its arguments, as a shell here would find it.
func (q *questions) program(args []string) ([]string, error) {
	dir := ""
	if len(args) == 0 {
		args, dir = q.Command, q.dir
	}
	if len(args) == 0 {
		return nil, fmt.Errorf("say which program to check, or put `command: [./engine]` into %s", checkFile)
	}
	path := args[0]
	if !strings.ContainsRune(path, filepath.Separator) {
		if found, err := exec.LookPath(path); err == nil {
			path, dir = found, ""
		}
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	return append([]string{path}, args[1:]...), nil
}

func (q *questions) options(command []string) sdktest.Options {
	o := sdktest.Options{
		Command: command, BaseDir: q.dir, Config: q.Config, BadConfig: q.BadConfig,
		Workflow: q.Workflow, Input: q.Input, Slow: q.Slow, SlowInput: q.SlowInput,
		Asks: q.Asks, AsksInput: q.AsksInput, Answer: q.Answer,
	}
	if _, ok := q.Env["PATH"]; !ok {
		o.Env = []string{"PATH=" + os.Getenv("PATH")}
	}
	for _, name := range slices.Sorted(maps.Keys(q.Env)) {
		o.Env = append(o.Env, name+"="+q.Env[name])
	}
	return o
}

// text is a value of a flag: JSON, or @file.
type text struct{ to *json.RawMessage }

func (text) Type() string   { return "json" }
func (text) String() string { return "" }

// Set takes the flag's value.
func (t text) Set(value string) error {
	raw := []byte(value)
	if path, ok := strings.CutPrefix(value, "@"); ok {
		var err error
		if raw, err = os.ReadFile(path); err != nil {
			return err
		}
	}
	if raw = bytes.TrimSpace(raw); !json.Valid(raw) {
		return errors.New("not JSON")
	}
	*t.to = raw
	return nil
}
