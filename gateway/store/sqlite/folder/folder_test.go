package folder

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Every folder that was made is told to the disk, by its parent, from the
// highest down; that of the store's own folder is each time.
func TestFoldersLast(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "a", "b", "data")
	var synced []string
	note := func(parent string) error {
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("%s was synced before there was anything in it: %v", parent, err)
		}
		synced = append(synced, parent)
		return Sync(parent)
	}
	if err := makeWith(dir, note); err != nil {
		t.Fatal(err)
	}
	if want := []string{root, filepath.Join(root, "a"), filepath.Join(root, "a", "b")}; !slices.Equal(synced, want) {
		t.Errorf("synced %q, want %q", synced, want)
	}
	synced = nil
	if err := makeWith(dir, note); err != nil || !slices.Equal(synced, []string{filepath.Join(root, "a", "b")}) {
		t.Errorf("once it is there: %v, synced %q", err, synced)
	}
}
