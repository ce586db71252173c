package routing

import (
	"context"
	"errors"

	"github.com/event-gateway/gateway/gateway/api/explain"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/history"
	"github.com/event-gateway/gateway/gateway/store"
)

// Kept is the history that the store keeps.
type Kept struct{ history.History }

// Document implements History.
func (k Kept) Document(ctx context.Context, prefix string) (string, *config.Document, config.Problems, error) {
	revision, doc, problems, err := k.History.Document(ctx, prefix)
	if errors.Is(err, store.ErrNotFound) {
		err = explain.ErrRevision
	}
	return revision, doc, problems, err
}
