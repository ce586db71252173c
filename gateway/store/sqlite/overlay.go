package sqlite

import (
	"context"

	"github.com/event-gateway/gateway/gateway/store"
)

// Overlay lists what was made while the gateway ran, oldest first.
func (s *Store) Overlay(ctx context.Context) ([]store.OverlayEntry, error) {
	return s.history().Overlay(ctx)
}

// PutOverlay keeps an entry, in the place of one of the same name. It is on
// stable storage when this returns.
func (s *Store) PutOverlay(ctx context.Context, e store.OverlayEntry) error {
	return s.history().PutOverlay(ctx, e)
}

// DropOverlay forgets an entry for good; without one it is store.ErrNotFound.
// With a schedule goes how far it had come: another one of that name is new.
func (s *Store) DropOverlay(ctx context.Context, name string) error {
	return s.history().DropOverlay(ctx, name)
}
