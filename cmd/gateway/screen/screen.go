// Package screen is what a person or a program reads of a command: tables for
// the one, JSON and YAML for the other. Nothing else writes to stdout.
package screen

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrSaid: all has been said, and it was not good.
var ErrSaid = errors.New("it has been said")

// Formats that values are printed in.
const (
	Table = "table"
	JSON  = "json"
	YAML  = "yaml"
)

// IsFormat tells whether there is such a format.
func IsFormat(s string) bool { return s == Table || s == JSON || s == YAML }

// Screen prints.
type Screen struct {
	Out    io.Writer
	Format string
	// Color: Out is a terminal whose owner did not ask for none.
	Color bool
	// Now is what ages are counted from.
	Now func() time.Time
}

// Show prints a value as JSON or YAML, or with table for people.
func (s *Screen) Show(v any, table func()) error {
	switch s.Format {
	case JSON:
		return writeJSON(s.Out, v, "  ")
	case YAML:
		return writeYAML(s.Out, v)
	}
	table()
	return nil
}

// ShowEach prints one of many values that come one after the other: a line of
// JSON, a document of YAML, or with table.
func (s *Screen) ShowEach(v any, table func()) error {
	switch s.Format {
	case JSON:
		return writeJSON(s.Out, v, "")
	case YAML:
		if _, err := fmt.Fprintln(s.Out, "---"); err != nil {
			return err
		}
		return writeYAML(s.Out, v)
	}
	table()
	return nil
}

func writeJSON(w io.Writer, v any, indent string) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	return e.Encode(v)
}
