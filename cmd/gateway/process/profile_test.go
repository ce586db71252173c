package process

import (
	"os"
	"path/filepath"
	"testing"
)

// Not parallel: a process has one CPU profile at a time.
func TestProfile(t *testing.T) {
	stop, err := Profile("")
	if err != nil || stop() != nil {
		t.Errorf("none: %v", err)
	}
	path := filepath.Join(t.TempDir(), "cpu")
	if stop, err = Profile(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Profile(path + "2"); err == nil {
		t.Error("a second profile at the same time")
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		t.Errorf("nothing written: %v", err)
	}
	if _, err := Profile(filepath.Join(path, "below")); err == nil {
		t.Error("below a file")
	}
}
