package ledger

import (
	"os"
	"path/filepath"
	"testing"
)

// What a killed engine was writing is not a note; those around it are.
func TestReadCutOff(t *testing.T) {
	const first, second = `{"at":1,"event":"a","what":"begin"}` + "\n", `{"at":2,"event":"b","what":"begin"}` + "\n"
	for n := range len(second) {
		path := filepath.Join(t.TempDir(), "journal")
		for text, want := range map[string]string{
			first + second[:n] + first: "aa", first + second[:n]: "a", second[:n] + second: "b",
		} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			notes, err := Read(path)
			got := ""
			for _, note := range notes {
				got += note.Event
			}
			if got != want || err != nil {
				t.Errorf("%q: %q, want %q, %v", text, got, want, err)
			}
		}
	}
	path := filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(path, []byte(first+"nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if notes, err := Read(path); err == nil {
		t.Errorf("nonsense is %+v", notes)
	}
}
