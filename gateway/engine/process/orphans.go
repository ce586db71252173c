package process

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// record is what is written down about a running process, so that the next
// gateway finds it if this one dies without being able to stop it.
type record struct {
	PID   int    `json:"pid"`
	Start string `json:"start"` // the kernel's start time: a pid comes again, the pair does not
	Nonce string `json:"nonce"` // in the process's environment
}

// remember writes r down and returns where. It is a help for later, so that
// what goes wrong with it does not stop an engine; Pdeathsig is the first line.
func (h *Host) remember(r record) string {
	r.Start, _ = startTime(r.PID)
	path := filepath.Join(h.records(), r.Nonce)
	text, _ := json.Marshal(r) // a struct of strings and a number
	_ = os.WriteFile(path, text, 0o600)
	return path
}

// cleanUp kills the processes that an earlier gateway left behind, and removes
// its files. Only exact matches are killed.
func (h *Host) cleanUp() error {
	entries, err := os.ReadDir(h.records())
	if err != nil {
		return err
	}
	left := make(map[string]record, len(entries))
	for _, entry := range entries {
		path := filepath.Join(h.records(), entry.Name())
		if r, ok := readRecord(path); ok {
			left[r.Nonce] = r
		}
		defer func() { _ = os.Remove(path) }()
	}
	if len(left) > 0 {
		killLeftOver(left)
	}
	h.dropSockets()
	return nil
}

func readRecord(path string) (record, bool) {
	var r record
	text, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(text, &r) != nil {
		return record{}, false
	}
	return r, r.PID > 1 && r.Nonce != ""
}
