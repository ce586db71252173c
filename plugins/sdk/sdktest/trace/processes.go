package trace

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// NewMark is an environment variable by which to know the engine and whatever
// it starts.
func NewMark() string { return "SDKTEST_MARK=" + rand.Text() }

// Leftovers waits until nothing is left of what the engine started. Only
// Linux can tell.
func Leftovers(mark string) error {
	var left []string
	for until := time.Now().Add(leftTime); ; time.Sleep(20 * time.Millisecond) {
		if left = marked(mark); len(left) == 0 {
			return nil
		}
		if time.Now().After(until) {
			return fmt.Errorf("the engine is gone, but not what it started: %q", left)
		}
	}
}

// leftTime is how long something may outlive its engine.
const leftTime = 2 * time.Second

// marked are the command lines of all processes with this environment.
func marked(mark string) []string {
	var out []string
	environs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range environs {
		if env, err := os.ReadFile(path); err == nil && bytes.Contains(env, []byte(mark)) {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
			out = append(out, string(bytes.ReplaceAll(bytes.TrimRight(line, "\x00"), []byte{0}, []byte{' '})))
		}
	}
	return out
}
