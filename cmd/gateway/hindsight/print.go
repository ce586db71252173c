package hindsight

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/rehearse/plan"
)

// What people are told, of very many: changes of a kind at a route and in all,
// routes, and characters of a line. A comment for a pull request has bounds, too.
const (
	shown    = 3
	maxShown = 30
	maxRows  = 50
	maxLine  = 240
)

// print tells people what would change: counts for each route, then examples.
func (d *Desk) print(p *Plan) {
	fmt.Fprintf(d.Out, "%s → %s, %s\n", screen.Line(p.Old), d.Paint(screen.Bold, screen.Line(p.New)), plural(p.Looked, "event"))
	if !p.Differs() {
		fmt.Fprintln(d.Out, "nothing changes")
		return
	}
	for _, line := range p.Differences {
		fmt.Fprintf(d.Out, "  %s\n", screen.Line(short(line, maxLine)))
	}
	for _, line := range p.Refused {
		fmt.Fprintf(d.Out, "%s  %s\n", d.Paint(screen.Red, "refused"), screen.Line(line))
	}
	d.printRoutes(p)
	for _, s := range p.Schedules {
		fmt.Fprintf(d.Out, "\nschedule %s %s\n  before  %s\n  after   %s\n", d.Paint(screen.Bold, screen.Line(s.Name)), s.Kind, moments(s.Before), moments(s.After))
	}
	for _, e := range p.Engines {
		fmt.Fprintf(d.Out, "\nengine %s %s\n", d.Paint(screen.Bold, screen.Line(e.Name)), screen.Line(e.text()))
	}
}

func (d *Desk) printRoutes(p *Plan) {
	if p.Affected == 0 {
		fmt.Fprintf(d.Out, "\nno event would run otherwise\n")
		return
	}
	fmt.Fprintln(d.Out)
	head := []string{"ROUTE", "NEWLY", "NO LONGER", "OTHERWISE"}
	if p.Fails > 0 {
		head = append(head, "CANNOT TELL")
	}
	var rows [][]screen.Cell
	for _, r := range p.Routes[:min(len(p.Routes), maxRows)] {
		rows = append(rows, []screen.Cell{
			screen.Text(r.Route), number(screen.Green, "+", r.Runs), number(screen.Red, "-", r.Stops), number(screen.Yellow, "~", r.Changed), number(screen.Red, "!", r.Fails),
		}[:len(head)])
	}
	d.Table(head, rows)
	more(d.Out, "\nand %s more\n", len(p.Routes)-maxRows, "route")
	fmt.Fprintln(d.Out)
	rows = nil
	for _, c := range examples(p) {
		rows = append(rows, []screen.Cell{mark(c.Kind), screen.Text(c.Route), screen.Text(c.Event.ID), screen.Text(c.Event.Type), screen.Text(says(&c))})
	}
	d.Columns(rows)
	if left := p.Runs + p.Stops + p.Changed + p.Fails - len(rows); left > 0 {
		fmt.Fprintf(d.Out, "and %d more (-o json has them)\n", left)
	}
}

func number(look screen.Style, sign string, n int) screen.Cell {
	if n == 0 {
		return screen.Text("")
	}
	return look.Text(fmt.Sprintf("%s%d", sign, n))
}

func mark(kind string) screen.Cell {
	switch kind {
	case plan.Runs:
		return screen.Green.Text("+")
	case plan.Stops:
		return screen.Red.Text("-")
	case plan.Fails:
		return screen.Red.Text("!")
	}
	return screen.Yellow.Text("~")
}

// examples are the first changes of each route.
func examples(p *Plan) (list []plan.Change) {
	seen := map[string]int{}
	for _, c := range p.Events.Changes {
		if key := c.Route + " " + c.Kind; seen[key] < shown && len(list) < maxShown {
			seen[key]++
			list = append(list, c)
		}
	}
	return list
}

// says tells of a change in a line.
func says(c *plan.Change) string {
	if c.Kind != plan.Changed {
		return c.Why
	}
	var parts []string
	for _, f := range c.Fields {
		switch f {
		case "run":
			parts = append(parts, "run "+c.Before.Run+" → "+c.After.Run)
		case "key":
			parts = append(parts, fmt.Sprintf("key %q → %q", c.Before.Key, c.After.Key))
		default:
			parts = append(parts, "input "+brief(c.Before.Input)+" → "+brief(c.After.Input))
		}
	}
	return strings.Join(parts, "; ")
}

func brief(text []byte) string {
	if len(text) == 0 {
		return "none"
	}
	return short(string(text), 60)
}

func short(text string, longest int) string {
	if line := []rune(text); len(line) > longest {
		return string(line[:longest-1]) + "…"
	}
	return text
}

func more(w io.Writer, format string, n int, what string) {
	if n > 0 {
		fmt.Fprintf(w, format, plural(n, what))
	}
}

func moments(list []time.Time) string {
	if len(list) == 0 {
		return "never"
	}
	texts := make([]string, len(list))
	for i, t := range list {
		texts[i] = t.Format(time.RFC3339)
	}
	return strings.Join(texts, "  ")
}

func (e *Engine) text() string {
	text := e.Kind
	if len(e.Fields) > 0 {
		text += " (" + strings.Join(e.Fields, ", ") + ")"
	}
	if e.State == "" {
		return text
	}
	return text + fmt.Sprintf("; now %s, %s in flight, %d waiting for an answer", e.State, plural(e.InFlight, "run"), e.Waiting)
}

// markdown is a comment for a pull request. What it quotes may come from
// strangers: it goes into code, where nothing is markup.
func markdown(w io.Writer, p *Plan) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### Plan for %s\n\n", code(p.New))
	fmt.Fprintf(&b, "Against %s and %s: **%d newly run, %d no longer, %d otherwise**%s.\n",
		code(p.Old), plural(p.Looked, "event"), p.Runs, p.Stops, p.Changed, failing(p.Fails))
	list(&b, "Differences", p.Differences, code)
	list(&b, "Refused by a running gateway", p.Refused, code)
	markdownRoutes(&b, p)
	for _, s := range p.Schedules {
		fmt.Fprintf(&b, "\nSchedule %s is %s: %s, then %s.\n", code(s.Name), s.Kind, code(moments(s.Before)), code(moments(s.After)))
	}
	for _, e := range p.Engines {
		fmt.Fprintf(&b, "\nEngine %s %s.\n", code(e.Name), code(e.text()))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func failing(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; for **%d** an expression newly fails, which is no match", n)
}

func markdownRoutes(b *strings.Builder, p *Plan) {
	if len(p.Routes) == 0 {
		return
	}
	b.WriteString("\n| Route | Newly | No longer | Otherwise | Cannot tell |\n|---|--:|--:|--:|--:|\n")
	for _, r := range p.Routes[:min(len(p.Routes), maxRows)] {
		fmt.Fprintf(b, "| %s | %d | %d | %d | %d |\n", code(r.Route), r.Runs, r.Stops, r.Changed, r.Fails)
	}
	more(b, "\nAnd %s more.\n", len(p.Routes)-maxRows, "route")
	b.WriteString("\n<details><summary>Examples</summary>\n\n| | Route | Event | Type | Why |\n|---|---|---|---|---|\n")
	for _, c := range examples(p) {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", c.Kind, code(c.Route), code(c.Event.ID), code(c.Event.Type), code(says(&c)))
	}
	b.WriteString("\n</details>\n")
}

func list(b *strings.Builder, head string, lines []string, each func(string) string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s:\n\n", head)
	for _, line := range lines {
		fmt.Fprintf(b, "- %s\n", each(line))
	}
}

// code quotes a text in a line of Markdown, within a table, too.
func code(text string) string {
	text = strings.NewReplacer("`", "'", "|", "¦").Replace(screen.Line(short(text, maxLine)))
	if text == "" {
		return "–"
	}
	return "`" + text + "`"
}
