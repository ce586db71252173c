package routing

import (
	"context"
	"strings"

	"github.com/event-gateway/gateway/gateway/api/explain"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/store"
)

// Kept is the history that the store keeps.
type Kept struct {
	Store interface {
		Revisions(ctx context.Context, limit int) ([]store.Revision, error)
	}
}

const (
	// maxRevisions is how far back a revision is looked for.
	maxRevisions = 10_000
	// shortest is how much of a revision names it.
	shortest = 4
)

// Document implements History. A prefix of several revisions names none.
func (k Kept) Document(ctx context.Context, prefix string) (string, *config.Document, config.Problems, error) {
	all, err := k.Store.Revisions(ctx, maxRevisions)
	if err != nil {
		return "", nil, nil, err
	}
	found := store.Revision{}
	for _, r := range all {
		if len(prefix) < shortest || !strings.HasPrefix(r.Hash, prefix) {
			continue
		}
		if found.Hash != "" && found.Hash != r.Hash {
			return "", nil, nil, explain.ErrRevision
		}
		found = r
	}
	if found.Hash == "" {
		return "", nil, nil, explain.ErrRevision
	}
	doc, problems := read(string(found.Content))
	return found.Hash, doc, problems, nil
}

// read reads a configuration as it is kept: the file, then one document after
// the other of what was laid over it.
func read(text string) (*config.Document, config.Problems) {
	file, rest, more := strings.Cut(text, "\n---\n")
	opts := config.Options{NoSecrets: true}
	for more {
		var part string
		part, rest, more = strings.Cut(rest, "\n---\n")
		section, below, _ := strings.Cut(part, ":")
		name, _, _ := strings.Cut(strings.TrimSpace(below), ":")
		opts.Overlay = append(opts.Overlay, config.Entry{Name: section + "." + strings.Trim(name, `"`), Text: []byte(part)})
	}
	return config.Parse("gateway.yaml", []byte(file), opts)
}
