// Package history is the configurations that were in force, as the store keeps
// them: what each of them said, what changed with it, and how to come back to
// the last one that was good. It is between the store and api on one side, and
// gateway, which puts them in force, on the other.
package history

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/event-gateway/gateway/gateway/api/revisions"
	"github.com/event-gateway/gateway/gateway/compare"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/store"
)

// Store is where revisions are.
type Store interface {
	AddRevision(ctx context.Context, r store.Revision) error
	// Revisions is newest first, without content.
	Revisions(ctx context.Context, p store.Page) ([]store.Revision, error)
	// Revision is the newest whose hash begins with a text.
	Revision(ctx context.Context, hash string) (store.Revision, error)
}

// History is what was in force.
type History struct{ Store Store }

// Step is one configuration that came into force after another.
type Step struct {
	// Before is nil at the start: then what was kept last is before.
	Before, Now *config.Document
	Revision    string
	// Names are the differences in names.
	Names []string
	// Why, and who asked for it.
	Reason, By string
}

// Add keeps what came into force.
func (h History) Add(ctx context.Context, s Step) error {
	plain, shown := s.Now.Values()
	now, before := compare.Values{Plain: plain, Shown: shown}, compare.Values{}
	if s.Before != nil {
		before.Plain, before.Shown = s.Before.Values()
	} else if last, err := h.read(ctx, ""); err == nil {
		now.Plain, before = shown, compare.Values{Plain: last.Values, Shown: last.Values}
		s.Names = nil
	}
	changes, err := json.Marshal(compare.Changes(before, now))
	if err != nil {
		return err
	}
	content, err := pack(KeptOf(s.Now))
	if err != nil {
		return err
	}
	return h.Store.AddRevision(ctx, store.Revision{
		Hash: s.Revision, At: time.Now(), Reason: s.Reason, Author: s.By, Difference: strings.Join(s.Names, "; "), Changes: changes, Content: content,
	})
}

func pack(k Kept) ([]byte, error) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	err := errors.Join(json.NewEncoder(z).Encode(k), z.Close()) // it has all only once it is closed
	return out.Bytes(), err
}

// maxContent bounds what a revision is read to: the files and the overlay, each
// twice, and some.
const maxContent = 256 << 20

// unpack reads what was packed. What the first versions kept was the text.
func unpack(content []byte) (k Kept, err error) {
	z, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return Kept{Files: []config.Text{{Name: "gateway.yaml", Text: string(content)}}}, nil //nolint:nilerr // it is text
	}
	d := json.NewDecoder(io.LimitReader(z, maxContent))
	d.UseNumber()
	if err := d.Decode(&k); err != nil {
		return k, fmt.Errorf("history: revision: %w", err)
	}
	return k, nil
}

// List is a page of the history, newest first.
func (h History) List(ctx context.Context, before int64, limit int) (list []revisions.Revision, err error) {
	found, err := h.Store.Revisions(ctx, store.Page{Before: before, Limit: limit})
	for _, r := range found {
		list = append(list, view(r))
	}
	return list, err
}

func view(r store.Revision) revisions.Revision {
	v := revisions.Revision{Cursor: r.N, Revision: r.Hash, At: r.At, Reason: r.Reason, By: r.Author}
	if r.Difference != "" {
		v.Differences = strings.Split(r.Difference, "; ")
	}
	if json.Unmarshal(r.Changes, &v.Changes) != nil || v.Changes.Changes == nil {
		v.Changes.Changes = []revisions.Change{} // the first versions kept none
	}
	return v
}

// kept is a revision that was read.
type kept struct {
	Kept
	n    int64
	view revisions.Revision
}

func (h History) read(ctx context.Context, name string) (k kept, err error) {
	r, err := h.Store.Revision(ctx, name)
	if err != nil {
		return k, err
	}
	k.n, k.view = r.N, view(r)
	k.Kept, err = unpack(r.Content)
	return k, err
}

// Document is one revision as far as it was kept: literals that may be secret are
// stars. It is for looking at what does not depend on them.
func (h History) Document(ctx context.Context, name string) (revision string, doc *config.Document, problems config.Problems, err error) {
	k, err := h.read(ctx, name)
	if err != nil {
		return "", nil, nil, err
	}
	if len(k.Files) == 0 {
		return "", nil, nil, store.ErrNotFound
	}
	opts := config.Options{NoSecrets: true}
	for _, t := range k.Overlay {
		opts.Overlay = append(opts.Overlay, config.Entry{Name: t.Name, Text: []byte(t.Text)})
	}
	known := map[string][]byte{}
	for _, f := range k.Files {
		known[filepath.Join("/", f.Name)] = []byte(f.Text)
	}
	doc, problems = config.LoadKnown(filepath.Join("/", k.Files[0].Name), known, opts)
	return k.view.Revision, doc, problems, nil
}

// Show is all of one revision; that in force without a name.
func (h History) Show(ctx context.Context, name string) (revisions.RevisionText, error) {
	k, err := h.read(ctx, name)
	if err != nil {
		return revisions.RevisionText{}, err
	}
	return whole(k.view, k.Kept), nil
}

func whole(v revisions.Revision, k Kept) revisions.RevisionText {
	w := revisions.RevisionText{Revision: v, Files: []revisions.ConfigText{}, Overlay: []revisions.ConfigText{}, Values: k.Values}
	for _, f := range k.Files {
		w.Files = append(w.Files, revisions.ConfigText(f))
	}
	for _, f := range k.Overlay {
		w.Overlay = append(w.Overlay, revisions.ConfigText(f))
	}
	if w.Values == nil {
		w.Values = map[string]any{}
	}
	return w
}

// Of is a configuration as history would show it.
func Of(doc *config.Document) revisions.RevisionText {
	return whole(revisions.Revision{Revision: doc.Path, Changes: revisions.Changes{Changes: []revisions.Change{}}}, KeptOf(doc))
}

// Diff is what changed from one revision to another. Without one to begin from
// it is that before.
func (h History) Diff(ctx context.Context, from, to string) (revisions.Difference, error) {
	b, err := h.read(ctx, to)
	if err != nil {
		return revisions.Difference{}, err
	}
	if from == "" {
		before, err := h.Store.Revisions(ctx, store.Page{Before: b.n, Limit: 1})
		if err != nil {
			return revisions.Difference{}, err
		}
		if len(before) == 0 {
			return revisions.Difference{}, store.ErrNotFound
		}
		from = before[0].Hash
	}
	a, err := h.read(ctx, from)
	if err != nil {
		return revisions.Difference{}, err
	}
	return Between(whole(a.view, a.Kept), whole(b.view, b.Kept)), nil
}

// Between is what changed between two configurations as they may be shown.
func Between(a, b revisions.RevisionText) revisions.Difference {
	return revisions.Difference{
		From: a.Revision.Revision, To: b.Revision.Revision,
		Changes: compare.Changes(compare.Values{Plain: a.Values, Shown: a.Values}, compare.Values{Plain: b.Values, Shown: b.Values}),
		Text:    Text(texts(a), texts(b)),
	}
}

// texts are those of the files, and of the overlay as they are named in messages.
func texts(w revisions.RevisionText) []revisions.ConfigText {
	all := slices.Clone(w.Files)
	for _, f := range w.Overlay {
		all = append(all, revisions.ConfigText{Name: "overlay/" + f.Name, Text: f.Text})
	}
	return all
}

// Text is the difference of texts by their names, as patch reads it.
func Text(a, b []revisions.ConfigText) string {
	before, after := byName(a), byName(b)
	var out strings.Builder
	names := slices.AppendSeq(slices.Collect(maps.Keys(before)), maps.Keys(after))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		old, was := before[name]
		now, is := after[name]
		from, to := name, name
		if !was {
			from = "/dev/null"
		}
		if !is {
			to = "/dev/null"
		}
		out.Write(diff.Diff(from, []byte(old), to, []byte(now)))
	}
	return out.String()
}

func byName(files []revisions.ConfigText) map[string]string {
	m := map[string]string{}
	for _, f := range files {
		m[f.Name] = f.Text
	}
	return m
}
