package screen

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Style is how a text looks on a terminal.
type Style string

// The styles there are.
const (
	Normal Style = ""
	Bold   Style = "\x1b[1m"
	Dim    Style = "\x1b[2m"
	Red    Style = "\x1b[31m"
	Green  Style = "\x1b[32m"
	Yellow Style = "\x1b[33m"
)

const reset = "\x1b[0m"

// Paint is a text in a style, for a terminal that has colors.
func (s *Screen) Paint(look Style, text string) string {
	if !s.Color || look == Normal || text == "" {
		return text
	}
	return string(look) + text + reset
}

// Cell is a text in a table. What it holds may come from strangers.
type Cell struct {
	text  string
	style Style
}

// Text is a cell in a style.
func (s Style) Text(text string) Cell { return Cell{text, s} }

// Text is a cell in no style.
func Text(text string) Cell { return Cell{text: text} }

// Row is a row in no style.
func Row(texts ...string) []Cell {
	cells := make([]Cell, len(texts))
	for i, t := range texts {
		cells[i] = Text(t)
	}
	return cells
}

const gap = 2

// Table prints rows in columns under a head.
func (s *Screen) Table(head []string, rows [][]Cell) {
	all := [][]Cell{make([]Cell, len(head))}
	for i, h := range head {
		all[0][i] = Bold.Text(h)
	}
	s.Columns(append(all, rows...))
}

// Columns prints rows in columns, each as wide as it must be.
func (s *Screen) Columns(rows [][]Cell) {
	var widths []int
	for _, r := range rows {
		for i := range r {
			r[i].text = Line(r[i].text)
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(r[i].text))
		}
	}
	for _, r := range rows {
		s.line(r, widths)
	}
}

func (s *Screen) line(r []Cell, widths []int) {
	var b strings.Builder
	for i, c := range r {
		b.WriteString(s.Paint(c.style, c.text))
		if i < len(r)-1 {
			b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text)+gap))
		}
	}
	fmt.Fprintln(s.Out, strings.TrimRight(b.String(), " "))
}
