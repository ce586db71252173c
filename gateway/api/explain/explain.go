// Package explain is the endpoint by which people ask why an event took a route,
// or did not: under the configuration in force, or one of the past. It is a part
// of api, which lets nobody in who may not.
package explain

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/event-gateway/gateway/gateway/api/ask"
	"github.com/event-gateway/gateway/gateway/rehearse"
	"github.com/event-gateway/gateway/gateway/store"
)

var (
	// ErrRevision: no such revision was ever in force, or it is not kept.
	ErrRevision = errors.New("api: no such revision")
	// ErrUnreadable is wrapped by why a revision cannot be compiled any more.
	ErrUnreadable = errors.New("the revision cannot be compiled by this gateway")
	// ErrGroup: the event is made of others, and was not routed itself.
	ErrGroup = errors.New("it is made of others by the debounce of their route")
)

// Explainer tells what routes make of stored events.
type Explainer interface {
	// Explain fails with store.ErrNotFound, with ErrRevision and with what wraps
	// ErrUnreadable or ErrGroup. Without a revision it is the one in force.
	Explain(ctx context.Context, id, revision string) (Explanation, error)
}

// Explanation is what each route makes of an event.
type Explanation struct {
	Event Explained `json:"event"`
	// Revision of the configuration that was asked.
	Revision string             `json:"revision"`
	Routes   []rehearse.Verdict `json:"routes"`
}

// Explained is the event. Revision is that of the configuration that routed it.
type Explained struct {
	ID       string `json:"id"`
	Source   string `json:"source"`
	Type     string `json:"type"`
	Revision string `json:"revision,omitempty"`
}

// Endpoints by the patterns that they are reached under.
func Endpoints(e Explainer) map[string]ask.Endpoint {
	return map[string]ask.Endpoint{"GET /api/v1/events/{id}/explain": server{e}.explain}
}

type server struct{ Explainer }

func (s server) explain(r *http.Request) (int, any, error) {
	q, err := ask.Parameters(r, "revision", "route")
	if err != nil {
		return 0, nil, err
	}
	id, revision := r.PathValue("id"), q.Get("revision")
	out, err := s.Explain(r.Context(), id, revision)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return 0, nil, ask.Refuse(http.StatusNotFound, "no event %q; it may have been retained out", id)
	case errors.Is(err, ErrRevision):
		return 0, nil, ask.Refuse(http.StatusNotFound, "no revision %q is kept (or several begin so)", revision)
	case errors.Is(err, ErrUnreadable), errors.Is(err, ErrGroup):
		return 0, nil, ask.Refuse(http.StatusUnprocessableEntity, "%s", err)
	case err != nil:
		return 0, nil, err
	}
	if name := q.Get("route"); name != "" {
		out.Routes = slices.DeleteFunc(out.Routes, func(v rehearse.Verdict) bool { return v.Route != name })
		if len(out.Routes) == 0 {
			return 0, nil, ask.Refuse(http.StatusNotFound, "no route %q in revision %s", name, out.Revision)
		}
	}
	return http.StatusOK, out, nil
}
