package config

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/event-gateway/gateway/gateway/config/document"
	"github.com/event-gateway/gateway/gateway/config/files"
)

// Kept is a configuration as history keeps it: with references, and without
// the literals that may be secrets.
type Kept struct {
	// Digest is the SHA-256 in hex of the files as they were.
	Digest string `json:"digest"`
	// Files are the file and those it includes; Overlay is what was laid over
	// them, by its entries' names.
	Files   []KeptText `json:"files"`
	Overlay []KeptText `json:"overlay,omitempty"`
	// Values is all of it as JSON, defaults left out.
	Values map[string]any `json:"values"`
}

// KeptText is one text of a configuration.
type KeptText struct {
	// Name of a file is from the folder of the first one.
	Name string `json:"name"`
	Text string `json:"text"`
	// Starred: literals were starred out, character by character.
	Starred bool `json:"starred,omitempty"`
}

// Kept is the document as history keeps it.
func (d *Document) Kept() Kept {
	k := Kept{Digest: d.digest, Files: []KeptText{keep(filepath.Base(d.Path), d.file)}}
	for _, in := range d.included {
		k.Files = append(k.Files, keep(in.name, in.file))
	}
	for _, e := range d.Overlay {
		if d.Made(e.Name) {
			k.Overlay = append(k.Overlay, keep(e.Name, d.file.Part(e.Name)))
		}
	}
	_, k.Values = d.Values()
	return k
}

func keep(name string, f *document.File) KeptText {
	text, whole := f.Shown()
	return KeptText{Name: name, Text: text, Starred: !whole}
}

// Values is all that is written, as JSON would have it and with references as
// they are written: plain, which is for comparing alone, and as it may be shown.
func (d *Document) Values() (plain, shown map[string]any) {
	plain = d.file.Values([]string{"server", "store", "engines", "webhooks", "schedules", "defaults", "routes"})
	shown, _ = Redact(plain).(map[string]any)
	return plain, shown
}

// Restore reads a configuration from what was kept of it, as if its files stood
// where they did. Literals that were starred out are taken from the files that
// stand there now; unless all of it is what it was, it is refused.
func Restore(path string, k Kept, opts Options) (*Document, Problems) {
	known := map[string][]byte{}
	at := absolute(path)
	starred := ""
	for i, f := range k.Files {
		if i > 0 {
			at = f.Name
			if !filepath.IsAbs(at) {
				at = filepath.Join(filepath.Dir(absolute(path)), at)
			}
		}
		text := f.Text
		if f.Starred {
			now, _ := files.NewSet().Read(at) // the digest tells whether it helped
			text = refill(text, string(now))
			starred = f.Name
		}
		known[at] = []byte(text)
	}
	doc, problems := parse(path, files.Closed(known), opts)
	switch {
	case doc.digest == k.Digest:
		return doc, problems
	case starred != "":
		return doc, Problems{{File: starred, Severity: Error,
			Message: "has literal values under keys like secret or env, which history does not keep, and they are not in the file any more",
			Hint:    "write them as ${env:NAME} or ${file:path}"}}
	}
	return doc, Problems{{File: path, Severity: Error, Message: fmt.Sprintf("is not what it was when it was kept (%.12s, now %.12s)", k.Digest, doc.digest)}}
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
