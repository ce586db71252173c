package history

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/config/files"
)

// Kept is a configuration as history keeps it: with references, and without the
// literals that may be secret.
type Kept struct {
	// Digest is the SHA-256 in hex of the files as they were.
	Digest string `json:"digest"`
	// Files are the file and those it includes; Overlay is what was laid over
	// them.
	Files   []config.Text `json:"files"`
	Overlay []config.Text `json:"overlay,omitempty"`
	// Values is all of it as JSON, defaults left out.
	Values map[string]any `json:"values"`
}

// KeptOf is a configuration as history keeps it.
func KeptOf(doc *config.Document) Kept {
	k := Kept{Digest: doc.Digest}
	k.Files, k.Overlay = doc.Texts()
	_, k.Values = doc.Values()
	return k
}

// Restore reads a configuration from what was kept of it, as if its files stood
// where they did. Literals that were starred out are taken from the files that
// stand there now; unless all of it is what it was, it is refused.
func (k Kept) Restore(path string, opts config.Options) (*config.Document, config.Problems) {
	file, err := filepath.Abs(path)
	if err != nil {
		return nil, problem(path, err.Error())
	}
	known, starred := map[string][]byte{}, ""
	for i, f := range k.Files {
		at := f.Name
		switch {
		case i == 0:
			at = file // whatever it is called now
		case !filepath.IsAbs(at):
			at = filepath.Join(filepath.Dir(file), at)
		}
		text := f.Text
		if f.Starred {
			now, _ := files.NewSet().Read(at) // the digest tells whether it helped
			text, starred = refill(text, string(now)), f.Name
		}
		known[at] = []byte(text)
	}
	doc, problems := config.LoadKnown(path, known, opts)
	switch {
	case doc.Digest == k.Digest:
		return doc, problems
	case starred != "":
		problems = problem(starred, "has literal values under keys like secret or env, which history does not keep, and they are not in the file any more")
		problems[0].Hint = "write them as ${env:NAME} or ${file:path}"
		return doc, problems
	}
	return doc, problem(path, fmt.Sprintf("is not what it was when it was kept (%.12s, now %.12s)", k.Digest, doc.Digest))
}

// refill puts into lines with stars what stands in another text where the rest
// of a line is the same.
func refill(kept, now string) string {
	lines, from := strings.Split(kept, "\n"), strings.Split(now, "\n")
	next := 0
	for i, line := range lines {
		if !strings.Contains(line, "*") {
			continue
		}
		for n := range from {
			if at := (next + n) % len(from); fits(line, from[at]) {
				lines[i], next = from[at], at+1
				break
			}
		}
	}
	return strings.Join(lines, "\n")
}

// fits tells whether a line becomes another when its stars are filled.
func fits(kept, line string) bool {
	a, b := []rune(kept), []rune(line)
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && (a[i] != '*' || b[i] == ' ') {
			return false
		}
	}
	return true
}
