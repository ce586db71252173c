package history

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite"
)

// In is the history in a folder that no gateway need have open, to be read.
func In(folder string) (h History, shut func() error, err error) {
	past, shut, err := sqlite.History(folder)
	return History{Store: past}, shut, err
}

// LastGood reads the configuration that was in force last, from the store, as if
// its files stood where they did; the problems say why it cannot be. Without a
// folder the store is where the file says, as far as that can be read.
func LastGood(ctx context.Context, folder, path string, opts config.Options) (*config.Document, config.Problems) {
	if folder == "" {
		folder = Folder(path)
	}
	k, err := lastKept(ctx, folder)
	switch {
	case folder == "":
		return nil, problem(path, "the store is not known: say where it is, --use-last-good=FOLDER")
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, store.ErrNotFound):
		return nil, problem(folder, "no revision was kept here that could be put in force")
	case err != nil:
		return nil, problem(folder, fmt.Sprintf("the last good revision: %s", err))
	}
	doc, problems := k.Restore(path, opts)
	for i := range problems {
		problems[i].Message = "in the last good revision " + k.view.Revision + ": " + problems[i].Message
	}
	return doc, problems
}

func lastKept(ctx context.Context, folder string) (kept, error) {
	h, shut, err := In(folder)
	if err != nil {
		return kept{}, err
	}
	k, err := h.read(ctx, "")
	return k, errors.Join(err, shut())
}

func problem(where, what string) config.Problems {
	return config.Problems{{File: where, Message: what, Severity: config.Error}}
}

// Folder is where a configuration has its store, though all else in it may be
// broken; empty when that cannot be told.
func Folder(path string) string {
	opts := config.Options{NoSecrets: true}
	if doc, _ := config.Load(path, opts); doc.Config.Store.Path != "" {
		return doc.Config.Store.Path
	}
	text, _ := os.ReadFile(path) // one that is gone says nothing: the default
	doc, _ := config.Parse(path, []byte("version: 1\n"+section(string(text), "store")), opts)
	return doc.Config.Store.Path
}

// section is a key at the left edge of a text with all that is indented below.
func section(text, key string) string {
	var out strings.Builder
	inside := false
	for line := range strings.Lines(text) {
		if strings.Trim(line[:1], " #\r\n") != "" {
			inside = strings.HasPrefix(line, key+":")
		}
		if inside {
			out.WriteString(line)
		}
	}
	return out.String()
}
