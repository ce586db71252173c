// Package document is a YAML file with positions: its nodes, where each of
// them stands, and the problems that anybody finds in it. It comes before the
// decoder, which reads the nodes, and outlives it, since later stages report
// problems too.
package document

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says whether a problem refuses the configuration.
type Severity string

// A warning lets the configuration through; an error does not.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Problem is one thing wrong with the file, and where. Lines and columns count
// from 1; columns count characters; EndCol is the column after the last one.
// A zero Line means the file as a whole.
type Problem struct {
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Col      int      `json:"col"`
	EndCol   int      `json:"end_col"`
	Path     string   `json:"path,omitempty"` // routes.deploy-main.when
	Message  string   `json:"message"`
	Hint     string   `json:"hint,omitempty"`
	Severity Severity `json:"severity"`

	excerpt []excerptLine
}

// excerptLine is a line of the file as it may be shown.
type excerptLine struct {
	number int
	text   string
}

// String returns the one-line form: file:line:col: path: message (hint).
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Col)
	}
	b.WriteString(": ")
	if p.Severity == Warning {
		b.WriteString("warning: ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		b.WriteString(" (" + p.Hint + ")")
	}
	return b.String()
}

// render appends the excerpt with a caret below the one-line form.
func (p Problem) render(b *strings.Builder) {
	b.WriteString(p.String() + "\n")
	for _, line := range p.excerpt {
		fmt.Fprintf(b, "  %4d | %s\n", line.number, line.text)
		if line.number == p.Line && p.EndCol > p.Col {
			b.WriteString("       | " + caret(line.text, p.Col) + "\n")
		}
	}
}

// caret indents a caret to a column, keeping the line's tabs so that it lands
// under its character whatever their width.
func caret(line string, col int) string {
	var b strings.Builder
	for i, r := range []rune(line) {
		if i >= col-1 {
			break
		}
		if r != '\t' {
			r = ' '
		}
		b.WriteRune(r)
	}
	return b.String() + "^"
}

// Problems are all that is wrong with a configuration.
type Problems []Problem

// Sort orders problems by place.
func (ps Problems) Sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Col, b.Col), cmp.Compare(a.Message, b.Message))
	})
}

// Failed reports whether any of the problems is an error.
func (ps Problems) Failed() bool { return ps.count(Error) > 0 }

func (ps Problems) count(s Severity) (n int) {
	for _, p := range ps {
		if p.Severity == s {
			n++
		}
	}
	return n
}

// Text renders every problem with its source lines, then a closing count.
func (ps Problems) Text() string {
	if len(ps) == 0 {
		return ""
	}
	var b strings.Builder
	for _, p := range ps {
		p.render(&b)
	}
	b.WriteString(ps.summary() + "\n")
	return b.String()
}

// Error returns the problems one to a line, without source lines.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func (ps Problems) summary() string {
	var parts []string
	for _, s := range []Severity{Error, Warning} {
		switch n := ps.count(s); n {
		case 0:
		case 1:
			parts = append(parts, "1 "+string(s))
		default:
			parts = append(parts, fmt.Sprintf("%d %ss", n, s))
		}
	}
	where := map[string]bool{}
	for _, p := range ps {
		where[p.File] = true
	}
	if len(where) > 1 {
		return fmt.Sprintf("%s in %d files", strings.Join(parts, ", "), len(where))
	}
	return strings.Join(parts, ", ") + " in " + ps[0].File
}
