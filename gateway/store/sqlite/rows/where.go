package rows

import (
	"strings"

	"github.com/event-gateway/gateway/gateway/store"
)

// Where collects the conditions of a list.
type Where struct {
	// Seq is the column of ids.
	Seq   string
	Terms []string
	Args  []any
}

// Add adds a condition with its values.
func (w *Where) Add(term string, args ...any) {
	w.Terms = append(w.Terms, term)
	w.Args = append(w.Args, args...)
}

// Page adds the bounds of a page.
func (w *Where) Page(p store.Page) {
	if p.Before != 0 {
		w.Add(w.Seq+"<?", p.Before)
	}
	if p.After != 0 {
		w.Add(w.Seq+">?", p.After)
	}
}

// Order is that of a page.
func (w *Where) Order(p store.Page) string {
	if p.OldestFirst {
		return w.Seq
	}
	return w.Seq + " DESC"
}

// SQL is all of them, and nothing when there are none.
func (w *Where) SQL() string {
	if len(w.Terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.Terms, " AND ")
}
