package sqlite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/history"
)

func (s *Store) history() history.History { return history.History{Read: s.rows, Do: s.do} }

// AddRevision appends to the history, unless the newest is the same.
func (s *Store) AddRevision(ctx context.Context, r store.Revision) error {
	return s.history().AddRevision(ctx, r)
}

// Revisions lists configurations that were in force, newest first and without
// their content.
func (s *Store) Revisions(ctx context.Context, p store.Page) ([]store.Revision, error) {
	return s.history().Revisions(ctx, p)
}

// Revision finds the newest configuration whose hash begins with a text.
func (s *Store) Revision(ctx context.Context, hash string) (store.Revision, error) {
	return s.history().Revision(ctx, hash)
}

// History is that of a store that nobody need have open, to be read alone.
func History(dir string) (h history.History, shut func() error, err error) {
	path := filepath.Join(dir, fileName)
	if _, err := os.Stat(path); err != nil { // or it would be created
		return h, nil, fmt.Errorf("store: %w", err)
	}
	return history.Of(path)
}
