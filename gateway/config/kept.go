package config

import (
	"path/filepath"

	"github.com/event-gateway/gateway/gateway/config/document"
	"github.com/event-gateway/gateway/gateway/config/files"
)

// Text is one text of a configuration as it may be kept and shown: references
// are not resolved.
type Text struct {
	// Name of a file is from the folder of the first one; of what was laid over
	// it, that of the entry.
	Name string `json:"name"`
	Text string `json:"text"`
	// Starred: literals that may be secret were starred out, each character by
	// one star.
	Starred bool `json:"starred,omitempty"`
}

// Texts are the file and those it includes, and what is in force of what was laid
// over them.
func (d *Document) Texts() (files, overlay []Text) {
	files = append(files, shown(filepath.Base(d.Path), d.file))
	for _, in := range d.included {
		files = append(files, shown(in.name, in.file))
	}
	for _, e := range d.Overlay {
		if d.Made(e.Name) {
			overlay = append(overlay, shown(e.Name, d.file.Part(e.Name)))
		}
	}
	return files, overlay
}

func shown(name string, f *document.File) Text {
	text, whole := f.Shown()
	return Text{Name: name, Text: text, Starred: !whole}
}

// Values is all that is written, as JSON would have it and with references as
// they are written: plain, which is for comparing alone, and as it may be shown.
func (d *Document) Values() (plain, shown map[string]any) {
	plain = d.file.Values([]string{"server", "store", "engines", "webhooks", "schedules", "defaults", "routes"})
	shown, _ = Redact(plain).(map[string]any)
	return plain, shown
}

// LoadKnown is Load where the content of the file, and of all that it could
// include, is known by its absolute paths.
func LoadKnown(path string, content map[string][]byte, opts Options) (*Document, Problems) {
	return parse(path, files.Closed(content), opts)
}
