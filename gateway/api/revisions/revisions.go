// Package revisions is the endpoints by which people look at the configurations
// that were in force, and at what changed from one to another. It is a part of
// api, which lets nobody in who may not.
package revisions

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/event-gateway/gateway/gateway/api/ask"
	"github.com/event-gateway/gateway/gateway/store"
)

// Revisions is the history. What it does not have is store.ErrNotFound. An empty
// name is the revision in force; any beginning of a name will do.
type Revisions interface {
	// List is newest first, from below a place in the history when it is not zero.
	List(ctx context.Context, before int64, limit int) ([]Revision, error)
	Show(ctx context.Context, name string) (RevisionText, error)
	// Diff is from a revision, or without one from that before, to another.
	Diff(ctx context.Context, from, to string) (Difference, error)
}

// Revision is one configuration that was in force.
type Revision struct {
	// Cursor is its place in the history; of two, the newer has the greater.
	Cursor   int64  `json:"cursor"`
	Revision string `json:"revision"`
	// At is when it came into force.
	At time.Time `json:"at"`
	// Reason is why: start, file, referred file, SIGHUP, api, or last good. By is
	// the token or address of who asked.
	Reason string `json:"reason,omitempty"`
	By     string `json:"by,omitempty"`
	// Differences to the one before, in names: "routes: +deploy -old ~page".
	Differences []string `json:"differences,omitempty"`
	Changes
}

// Changes are differences by what they mean, key by key.
type Changes struct {
	Changes []Change `json:"changes"`
	// More that are not in the list.
	More int `json:"more,omitempty"`
}

// Change is one key that is another, has come or is gone.
type Change struct {
	// Path is the key: routes.deploy-main.when.
	Path string `json:"path"`
	// Kind is added, removed or changed.
	Kind string `json:"kind"`
	// From and To are short values as JSON, references as they are written;
	// absent where they are long, or a literal that may be secret.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// String is a change on one line.
func (c Change) String() string {
	text := c.Path + " " + c.Kind
	switch {
	case c.From != "" && c.To != "":
		return text + ": " + c.From + " -> " + c.To
	case c.Kind == "added" && c.To != "":
		return text + ": " + c.To
	case c.Kind == "removed" && c.From != "":
		return text + ": was " + c.From
	}
	return text
}

// RevisionText is a revision with its text.
type RevisionText struct {
	Revision
	// Files are the file and those that it includes; Overlay is what was made over
	// the API. References stand as written; literals that may be secret are
	// starred out.
	Files   []ConfigText `json:"files"`
	Overlay []ConfigText `json:"overlay"`
	// Values is all that is written, as JSON.
	Values map[string]any `json:"values"`
}

// ConfigText is one text of a configuration.
type ConfigText struct {
	// Name of a file is from the folder of the configuration.
	Name string `json:"name"`
	Text string `json:"text"`
	// Starred: something was starred out of it.
	Starred bool `json:"starred,omitempty"`
}

// Difference is what changed from one configuration to another.
type Difference struct {
	From string `json:"from"`
	To   string `json:"to"`
	Changes
	// Text is the difference of the files, in the unified format.
	Text string `json:"text"`
}

// RevisionList is a page of the history, newest first.
type RevisionList struct {
	Revisions []Revision `json:"revisions"`
	// Next is the cursor of the following, older page; empty at the end.
	Next string `json:"next,omitempty"`
}

// Endpoints by the patterns that they are reached under.
func Endpoints(r Revisions) map[string]ask.Endpoint {
	s := server{r}
	return map[string]ask.Endpoint{
		"GET /api/v1/config/revisions":            s.list,
		"GET /api/v1/config/revisions/{revision}": s.show,
		"GET /api/v1/config/diff":                 s.diff,
	}
}

type server struct{ Revisions }

const (
	defaultLimit = 50
	maxLimit     = 1000
)

func (s server) list(r *http.Request) (int, any, error) {
	q, err := ask.Parameters(r, "limit", "cursor")
	if err != nil {
		return 0, nil, err
	}
	limit, err := ask.Number(q, "limit", defaultLimit, 1, maxLimit)
	if err != nil {
		return 0, nil, err
	}
	before, err := ask.Number(q, "cursor", 0, 1, 1<<53)
	if err != nil {
		return 0, nil, err
	}
	found, err := s.List(r.Context(), int64(before), limit+1)
	if err != nil {
		return 0, nil, err
	}
	page := RevisionList{Revisions: append([]Revision{}, found...)}
	if len(found) > limit {
		page.Revisions = found[:limit]
		page.Next = strconv.FormatInt(found[limit-1].Cursor, 10)
	}
	return http.StatusOK, page, nil
}

func (s server) show(r *http.Request) (int, any, error) {
	name := r.PathValue("revision")
	found, err := s.Show(r.Context(), name)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil, ask.Refuse(http.StatusNotFound, "no revision %q; history may have let go of it", name)
	}
	return http.StatusOK, found, err
}

func (s server) diff(r *http.Request) (int, any, error) {
	q, err := ask.Parameters(r, "from", "to")
	if err != nil {
		return 0, nil, err
	}
	found, err := s.Diff(r.Context(), q.Get("from"), q.Get("to"))
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil, ask.Refuse(http.StatusNotFound, "there is no such revision, or none before it; history may have let go of it")
	}
	return http.StatusOK, found, err
}
