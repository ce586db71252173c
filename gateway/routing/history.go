package routing

import (
	"context"
	"strings"

	"github.com/event-gateway/gateway/gateway/api/explain"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/route"
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

// read reads a configuration as it is kept.
func read(text string) (*config.Document, config.Problems) {
	file, overlay := Apart(text)
	return config.Parse("gateway.yaml", []byte(file), config.Options{NoSecrets: true, Overlay: overlay})
}

// Apart takes a configuration as it is kept apart: the file, then one document
// after the other of what was laid over it.
func Apart(text string) (file string, overlay []config.Entry) {
	file, rest, more := strings.Cut(text, "\n---\n")
	for more {
		var part string
		part, rest, more = strings.Cut(rest, "\n---\n")
		section, below, _ := strings.Cut(part, ":")
		name, _, _ := strings.Cut(strings.TrimSpace(below), ":")
		overlay = append(overlay, config.Entry{Name: section + "." + strings.Trim(name, `"`), Text: []byte(part)})
	}
	return file, overlay
}

// Specs translates all routes that are in force.
func Specs(c *config.Config) (list []route.Spec) {
	for name, r := range c.Routes {
		if r.Enabled {
			list = append(list, Spec(name, r))
		}
	}
	return list
}
