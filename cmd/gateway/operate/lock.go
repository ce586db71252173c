package operate

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/disk"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/config/document"
	"github.com/event-gateway/gateway/gateway/engine"
)

func (d *Desk) enginesLock() *cobra.Command {
	check := false
	c := &cobra.Command{
		Use: "lock [NAME...]", Short: "Write the checksums of the engines' programs into the configuration",
		Long: `Write the checksum of each engine's program into the configuration, as sha256.
From then on the gateway runs these programs and no others: a reload with another
program is refused until it is locked again. All else in the file stays as it is.
A running gateway takes the change as any other.

Of a script, the checksum covers the script alone: neither its interpreter nor
what it imports.`,
		Example: "  gateway engines lock\n  gateway engines lock --check   # in CI: exit code 1 when a program is another one",
		RunE:    func(_ *cobra.Command, names []string) error { return d.lock(names, check) },
	}
	c.Flags().BoolVar(&check, "check", false, "change nothing; exit code 1 when a checksum is missing or another")
	return c
}

// lock is what is known of one engine's pin.
type lock struct {
	Engine string `json:"engine"`
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	// Was is what the file says; empty when it says nothing.
	Was string `json:"was,omitempty"`
}

func (l lock) same() bool { return l.Was == l.SHA256 }

func (d *Desk) lock(names []string, check bool) error {
	path := d.Config()
	doc, problems := config.Load(path, config.Options{NoSecrets: true})
	if problems.Failed() {
		return problems
	}
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(doc.Config.Engines))
	}
	locks, err := locksOf(doc, names)
	if err != nil {
		return err
	}
	if !check {
		if err := pinAll(doc, locks); err != nil {
			return err
		}
	}
	if err := d.Show(locks, func() { d.printLocks(locks, check) }); err != nil {
		return err
	}
	if check && slices.ContainsFunc(locks, func(l lock) bool { return !l.same() }) {
		return screen.ErrSaid
	}
	return nil
}

func locksOf(doc *config.Document, names []string) (locks []lock, err error) {
	for _, name := range names {
		e, ok := doc.Config.Engines[name]
		if !ok {
			return nil, fmt.Errorf("no engine %q in %s", name, doc.Path)
		}
		sum, sumErr := engine.Checksum(e.Plugin)
		if sumErr != nil {
			err = errors.Join(err, fmt.Errorf("engine %s: %w", name, sumErr))
			continue
		}
		locks = append(locks, lock{Engine: name, Path: e.Plugin, SHA256: sum, Was: e.SHA256})
	}
	return locks, err
}

// pinAll changes the files that the engines are in.
func pinAll(doc *config.Document, locks []lock) error {
	files := map[string][]lock{}
	for _, l := range locks {
		name := doc.NameOf("engines." + l.Engine)
		files[name] = append(files[name], l)
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if err := pin(path, files[path]); err != nil {
			return err
		}
	}
	return nil
}

// pin changes a file at once or not at all: a gateway may be watching it.
func pin(path string, locks []lock) error {
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text := before
	for _, l := range locks {
		if l.same() {
			continue
		}
		if text, err = document.Set(path, text, "engines."+l.Engine, "sha256", "plugin", l.SHA256); err != nil {
			return err
		}
	}
	if bytes.Equal(text, before) {
		return nil
	}
	return disk.Replace(path, text)
}

func (d *Desk) printLocks(locks []lock, check bool) {
	missing, other := "pinned now", "pinned anew"
	if check {
		missing, other = "not pinned", "another program than is pinned"
	}
	rows := make([][]screen.Cell, len(locks))
	for i, l := range locks {
		what := screen.Yellow.Text(other)
		switch {
		case l.same():
			what = screen.Green.Text("pinned")
		case l.Was == "":
			what = screen.Yellow.Text(missing)
		}
		rows[i] = []screen.Cell{screen.Text(l.Engine), screen.Text(l.SHA256), what, screen.Text(l.Path)}
	}
	d.Table([]string{"ENGINE", "SHA256", "", "PROGRAM"}, rows)
}
