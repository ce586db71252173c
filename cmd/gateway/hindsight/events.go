package hindsight

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/gateway/api/replay"
)

// selection says which stored events.
type selection struct {
	typ, source, since, until string
	most                      int
}

func (s *selection) flags(c *cobra.Command, most int, what string) {
	f := c.Flags()
	f.IntVarP(&s.most, "events", "n", most, what)
	f.StringVar(&s.typ, "type", "", "only of this `type`")
	f.StringVar(&s.source, "source", "", "only from this `source`: /webhooks/<name>, /schedules/<name>, /api")
	f.StringVar(&s.since, "since", "", "only since then: a `time` like 2026-01-31T12:00:00Z, or 90m for 90 minutes ago")
	f.StringVar(&s.until, "until", "", "only until then: a `time` as in --since")
}

func (s *selection) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"type": s.typ, "source": s.source, "since": s.since, "until": s.until} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// pageSize is how many events are asked for at once.
const pageSize = 1000

// stored fetches the newest of the selected events, and gives them oldest first.
func (d *Desk) stored(ctx context.Context, s selection) (list []replay.Whole, err error) {
	c, err := d.Client()
	if err != nil {
		return nil, err
	}
	q := s.query()
	for len(list) < s.most {
		q.Set("limit", strconv.Itoa(min(pageSize, s.most-len(list))))
		var page replay.Exported
		if err := c.Get(ctx, "/api/v1/export/events", q, &page); err != nil {
			return nil, err
		}
		list = append(list, page.Events...)
		if page.Next == "" {
			break
		}
		q.Set("cursor", page.Next)
	}
	slices.Reverse(list)
	return list, nil
}

// Export is the verb below events.
func (d *Desk) Export() *cobra.Command {
	var s selection
	c := &cobra.Command{
		Use: "export", Short: "Print whole events as lines of JSON, oldest first, to plan or replay with", Args: cobra.NoArgs,
		Long: `Print whole events as lines of JSON, oldest first: the newest of those selected.
They hold what senders sent. gateway plan --from and gateway replay --from read them.`,
		Example: "  gateway events export --since 24h > events.jsonl",
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := d.stored(cmd.Context(), s)
			if err != nil {
				return err
			}
			out := json.NewEncoder(d.Out)
			out.SetEscapeHTML(false)
			for i := range list {
				if err := out.Encode(&list[i]); err != nil {
					return err
				}
			}
			return nil
		},
	}
	s.flags(c, 10_000, "at most so many")
	return c
}

// from reads the events of a file of JSON values, of a folder of such files, or
// of stdin, and gives them to each.
func from(in io.Reader, path string, each func(replay.Whole) error) error {
	if path == "-" {
		return read(in, "stdin", each)
	}
	paths := []string{path}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		if paths, err = inside(path); err != nil {
			return err
		}
	}
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		err = read(f, path, each)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// inside are the files of events in a folder, by name.
func inside(folder string) (paths []string, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if name := e.Name(); !e.IsDir() && (strings.HasSuffix(name, ".json") || strings.HasSuffix(name, ".jsonl")) {
			paths = append(paths, filepath.Join(folder, name))
		}
	}
	if paths == nil {
		return nil, fmt.Errorf("no .json or .jsonl in %s", folder)
	}
	return paths, nil
}

func read(r io.Reader, name string, each func(replay.Whole) error) error {
	d := json.NewDecoder(bufio.NewReaderSize(r, 1<<20))
	for n := 1; ; n++ {
		var e replay.Whole
		switch err := d.Decode(&e); {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("%s: event %d: not an event as JSON: %w", name, n, err)
		case e.Type == "":
			return fmt.Errorf("%s: event %d: it has no type", name, n)
		}
		if err := each(e); err != nil {
			return err
		}
	}
}
