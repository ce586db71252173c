//go:build unix

package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.*?) *$`)
	fence   = regexp.MustCompile("(?ms)^ *```.*?^ *```$|<!--.*?-->")
	inline  = regexp.MustCompile("`[^`\n]*`")
	// mention is a page that is named outside of the manual.
	mention = regexp.MustCompile(`\bdocs/[\w/-]+\.md\b`)
)

// TestLinks: each link of each page leads somewhere, also the part after #, and
// pages that the sources name are there.
func TestLinks(t *testing.T) {
	t.Parallel()
	links, mentions := 0, 0
	for _, file := range tracked(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range mention.FindAllString(string(text), -1) {
			mentions++
			if _, err := os.Stat(filepath.Join("..", page)); err != nil {
				t.Errorf("%s names %s, which is not there", file, page)
			}
		}
		if filepath.Ext(file) != ".md" {
			continue
		}
		for _, to := range targets(string(text)) {
			links++
			if wrong := follow(file, to); wrong != "" {
				t.Errorf("%s: (%s): %s", file, to, wrong)
			}
		}
	}
	if links < 100 || mentions < 10 {
		t.Errorf("only %d links and %d mentions were found", links, mentions)
	}
}

// tracked are the files of the clone that may hold a link.
func tracked(t *testing.T) []string {
	t.Helper()
	return slices.DeleteFunc(listed(t, ":/*.md", ":/*.go", ":/*.yaml", ":/*.yml", ":/*.proto", ":/Makefile"), func(file string) bool {
		return file == "links_test.go"
	})
}

// listed are files that git has or would take, as seen from here.
func listed(t *testing.T, patterns ...string) []string {
	t.Helper()
	list := exec.Command("git", append([]string{"-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "--"}, patterns...)...)
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(strings.Fields(string(out)), func(file string) bool {
		_, err := os.Stat(file)
		return err != nil // taken away, and git does not know yet
	})
}

// targets are the links of a page to other files of the clone.
func targets(page string) (all []string) {
	for _, m := range link.FindAllStringSubmatch(inline.ReplaceAllString(fence.ReplaceAllString(page, ""), "code"), -1) {
		if !strings.Contains(m[1], "://") && !strings.HasPrefix(m[1], "mailto:") {
			all = append(all, m[1])
		}
	}
	return all
}

// follow says what is wrong with a link.
func follow(from, to string) string {
	path, anchor, _ := strings.Cut(to, "#")
	at := from
	if path != "" {
		at = filepath.Join(filepath.Dir(at), path)
	}
	info, err := os.Stat(at)
	switch {
	case err != nil:
		return "is not there"
	case anchor == "":
		return ""
	case info.IsDir() || filepath.Ext(at) != ".md":
		return "has no headings"
	}
	text, err := os.ReadFile(at)
	if err != nil {
		return err.Error()
	}
	if !slices.Contains(anchors(string(text)), anchor) {
		return "has no such heading"
	}
	return ""
}

var dropped = regexp.MustCompile(`[^\p{L}\p{N}_\- ]`)

// anchors are what GitHub makes of the headings of a page.
func anchors(page string) (all []string) {
	times := map[string]int{}
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1) {
		name := strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")
		if n := times[name]; n > 0 {
			all = append(all, name+"-"+string(rune('0'+n)))
		} else {
			all = append(all, name)
		}
		times[name]++
	}
	return all
}

// TestFollow: a link that leads nowhere is found.
func TestFollow(t *testing.T) {
	t.Parallel()
	for to, want := range map[string]string{
		"docs/webhooks.md#schemes": "", "docs/webhooks.md#ones-own-as-data": "", "docs": "",
		"docs/webhook.md": "is not there", "docs/webhooks.md#scheme": "has no such heading", "docs#x": "has no headings",
	} {
		if got := follow("../README.md", to); got != want {
			t.Errorf("%s: %q", to, got)
		}
	}
	if got := targets("[a](b.md) `[c](d)` [e](https://f) <!-- [g](h) -->\n```\n[i](j)\n```\n[k](#l)"); !slices.Equal(got, []string{"b.md", "#l"}) {
		t.Errorf("%q", got)
	}
}
