package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Formats of -o.
const (
	formatTable = "table"
	formatJSON  = "json"
	formatYAML  = "yaml"
)

func isFormat(s string) bool { return s == formatTable || s == formatJSON || s == formatYAML }

// show prints a value as JSON or YAML, or with table for people.
func (a *app) show(v any, table func()) error {
	switch a.output {
	case formatJSON:
		return writeJSON(a.out, v, "  ")
	case formatYAML:
		return writeYAML(a.out, v)
	}
	table()
	return nil
}

// showEach prints one of many values that come one after the other: a line of
// JSON, a document of YAML, or with table.
func (a *app) showEach(v any, table func()) error {
	switch a.output {
	case formatJSON:
		return writeJSON(a.out, v, "")
	case formatYAML:
		if _, err := fmt.Fprintln(a.out, "---"); err != nil {
			return err
		}
		return writeYAML(a.out, v)
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

// writeYAML goes through JSON, so that both formats have the same names in
// the same order. JSON is YAML; only its style is changed.
func writeYAML(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		return err
	}
	plain(&node)
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(&node); err != nil {
		return err
	}
	return e.Close()
}

// plain takes JSON's brackets and quotes away. The encoder quotes again what
// would be read as something other than a string.
func plain(n *yaml.Node) {
	n.Style = 0
	for _, c := range n.Content {
		plain(c)
	}
}

// style is how a cell looks on a terminal.
type style string

const (
	normal style = ""
	bold   style = "\x1b[1m"
	dim    style = "\x1b[2m"
	red    style = "\x1b[31m"
	green  style = "\x1b[32m"
	yellow style = "\x1b[33m"
)

const reset = "\x1b[0m"

func (a *app) paint(s style, text string) string {
	if !a.color || s == normal || text == "" {
		return text
	}
	return string(s) + text + reset
}

// cell is a text in a table. What it holds may come from strangers.
type cell struct {
	text  string
	style style
}

func plainCell(text string) cell { return cell{text: text} }

func row(texts ...string) []cell {
	cells := make([]cell, len(texts))
	for i, t := range texts {
		cells[i] = plainCell(t)
	}
	return cells
}

const gap = 2

// table prints rows under a head in columns, each as wide as it must be.
func (a *app) table(head []string, rows [][]cell) {
	all := [][]cell{make([]cell, len(head))}
	for i, h := range head {
		all[0][i] = cell{h, bold}
	}
	a.columns(append(all, rows...))
}

func (a *app) columns(rows [][]cell) {
	var widths []int
	for _, r := range rows {
		for i := range r {
			r[i].text = printable(r[i].text, oneLine)
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(r[i].text))
		}
	}
	for _, r := range rows {
		a.line(r, widths)
	}
}

func (a *app) line(r []cell, widths []int) {
	var b strings.Builder
	for i, c := range r {
		b.WriteString(a.paint(c.style, c.text))
		if i < len(r)-1 {
			b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text)+gap))
		}
	}
	fmt.Fprintln(a.out, strings.TrimRight(b.String(), " "))
}

// lines says what printable does with the ends of lines and tabs.
type lines bool

const (
	oneLine   lines = false
	keepLines lines = true
)

// printable escapes what a terminal would obey instead of showing: a sender
// must not be able to write escape sequences to an operator's screen.
func printable(s string, l lines) string {
	ok := func(r rune) bool {
		return l == keepLines && (r == '\n' || r == '\t') || unicode.IsPrint(r) && r != utf8.RuneError
	}
	if strings.IndexFunc(s, func(r rune) bool { return !ok(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if ok(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// age tells in one unit how long ago something was; "-" when never.
func (a *app) age(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return short(a.now().Sub(t))
}

// until tells in one unit how far ahead something is: "now" when it is not.
func (a *app) until(t time.Time) string {
	switch d := t.Sub(a.now()); {
	case t.IsZero():
		return "-"
	case d <= 0:
		return "now"
	default:
		return "in " + short(d)
	}
}

func short(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", max(0, d.Milliseconds()))
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

func size(n uint64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v, i := float64(n), 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.RFC3339)
}

// pretty indents JSON, escaped for a terminal.
func pretty(text json.RawMessage, indent string) string {
	var b bytes.Buffer
	if json.Indent(&b, text, indent, "  ") != nil {
		return printable(string(text), keepLines)
	}
	return printable(b.String(), keepLines)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
