package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manual is where each verb has a page.
const manual = "../../docs/cli"

// TestManual: each verb has a page, and each page the usage and flags of its
// verbs as they are.
func TestManual(t *testing.T) {
	t.Parallel()
	root := newApp().root()
	var pages []string
	for _, verb := range root.Commands() {
		pages = append(pages, verb.Name()+".md")
		fill(t, verb.Name()+".md", verb)
	}
	fill(t, "README.md", root)
	for _, file := range must(filepath.Glob(filepath.Join(manual, "*.md"))) {
		if name := filepath.Base(file); name != "README.md" && !slices.Contains(pages, name) {
			t.Errorf("%s: there is no such verb", file)
		}
	}
}

// fill compares a page with what its verb and those below it say of themselves.
func fill(t *testing.T, name string, verb *cobra.Command) {
	t.Helper()
	file := filepath.Join(manual, name)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Errorf("%s has no page: %v", verb.CommandPath(), err)
		return
	}
	page := string(text)
	for _, part := range parts(verb) {
		if page, err = part.put(page); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	if page == string(text) {
		return
	}
	if !*update {
		t.Errorf("%s is out of date: go test ./cmd/gateway -run TestManual -update", file)
	} else if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
}

// part is a piece of a page between two comments.
type part struct{ name, text string }

// parts are those of a verb: of the program the verbs and the flags of all, of
// another verb its usage and flags, and those of the verbs below it.
func parts(verb *cobra.Command) (all []part) {
	if !verb.HasParent() {
		return []part{{"verbs", verbs(verb)}, {"flags of all verbs", flags(verb.PersistentFlags())}}
	}
	if verb.HasSubCommands() {
		all = append(all, part{verb.CommandPath(), verbs(verb) + flags(verb.NonInheritedFlags())})
	} else {
		all = append(all, part{verb.CommandPath(), "```\n" + verb.UseLine() + "\n```\n" + flags(verb.NonInheritedFlags())})
	}
	for _, below := range verb.Commands() {
		all = append(all, parts(below)...)
	}
	return all
}

func (p part) put(page string) (string, error) {
	at := regexp.MustCompile(`(?s)<!-- ` + regexp.QuoteMeta(p.name) + ` -->\n.*?<!-- end -->\n`)
	if n := len(at.FindAllString(page, -1)); n != 1 {
		return page, fmt.Errorf("<!-- %s --> … <!-- end --> is there %d times", p.name, n)
	}
	return at.ReplaceAllLiteralString(page, "<!-- "+p.name+" -->\n"+p.text+"<!-- end -->\n"), nil
}

func verbs(of *cobra.Command) string {
	var b strings.Builder
	b.WriteString("| | |\n|---|---|\n")
	for _, verb := range of.Commands() {
		at := verb.Name() + ".md"
		if of.HasParent() {
			at = "#" + of.Name() + "-" + verb.Name()
		}
		fmt.Fprintf(&b, "| [`%s`](%s) | %s |\n", verb.Name(), at, verb.Short)
	}
	return b.String()
}

func flags(set *pflag.FlagSet) string {
	var b strings.Builder
	set.VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" || f.Hidden {
			return
		}
		if b.Len() == 0 {
			b.WriteString("\n| flag | |\n|---|---|\n")
		}
		kind, says := pflag.UnquoteUsage(f)
		fmt.Fprintf(&b, "| %s | %s |\n", code(f, kind), cell(says+preset(f)))
	})
	return b.String()
}

// code is a flag as it is typed.
func code(f *pflag.Flag, kind string) string {
	name := "--" + f.Name
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", " + name
	}
	switch {
	case kind != "" && f.NoOptDefVal != "":
		name += "[=" + kind + "]"
	case kind != "":
		name += " " + kind
	}
	return "`" + name + "`"
}

// preset is the default of a flag, where there is one worth telling.
func preset(f *pflag.Flag) string {
	if slices.Contains([]string{"", "false", "0", "0s", "[]"}, f.DefValue) || strings.Contains(f.Usage, "default") {
		return ""
	}
	return " (default `" + f.DefValue + "`)"
}

// cell is a text that may stand in a table.
func cell(text string) string { return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(text) }

func must(files []string, err error) []string {
	if err != nil {
		panic(err)
	}
	return files
}
