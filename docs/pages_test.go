//go:build unix

// Package docs holds the manual. Its tests keep the manual true: they show what
// the files hold, run what is to be typed, and compare what is printed.
package docs

import (
	"flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write into the pages what files hold and what commands print")

// TestMain is also the curl of the pages, for machines that have none.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "curl" {
		os.Exit(curl(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// TestPages goes through every story of the cookbook, every way from another
// product, and every verb, as a reader would who types what stands there.
func TestPages(t *testing.T) {
	t.Parallel()
	programs := build(t)
	for _, pattern := range []string{"cookbook/*/README.md", "coming-from/*/README.md"} {
		pages, err := filepath.Glob(pattern)
		if err != nil || len(pages) == 0 {
			t.Fatalf("%s: %d pages, %v", pattern, len(pages), err)
		}
		for _, page := range pages {
			t.Run(filepath.Dir(page), func(t *testing.T) {
				t.Parallel()
				story(t, programs, page)
			})
		}
	}
	verbs, err := filepath.Glob("cli/*.md")
	if err != nil || len(verbs) == 0 {
		t.Fatalf("cli: %d pages, %v", len(verbs), err)
	}
	for _, page := range verbs {
		t.Run(strings.TrimSuffix(page, ".md"), func(t *testing.T) {
			t.Parallel()
			play(t, programs, page, "cli/example")
		})
	}
}

// story checks a folder with a configuration: it is valid and in its form, its
// cases pass and leave nothing untried, its page shows it whole, and what the
// page says is what happens.
func story(t *testing.T, programs, page string) {
	folder := filepath.Dir(page)
	for _, args := range [][]string{
		{"validate", "--strict", "--no-secrets"},
		append([]string{"fmt", "--check", "--diff"}, configurations(t, folder)...),
		{"test", "--require-coverage"},
	} {
		check := exec.Command(filepath.Join(programs, "bin", "gateway"), args...)
		check.Dir, check.Env = folder, []string{"NO_COLOR=1"}
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: gateway %s: %v\n%s", folder, strings.Join(args, " "), err, out)
		}
	}
	if !slices.ContainsFunc(play(t, programs, page, folder), func(c command) bool { return strings.Contains(c.text, "gateway ") }) {
		t.Errorf("%s: there is nothing to try", page)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "<!-- gateway.yaml -->\n") {
		t.Errorf("%s: gateway.yaml is not shown", page)
	}
}

// TestIndexes: each story has a page, which is in the list of its folder.
func TestIndexes(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"cookbook", "coming-from"} {
		index, err := os.ReadFile(filepath.Join(folder, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		stories, err := filepath.Glob(filepath.Join(folder, "*", "gateway.yaml"))
		if err != nil || len(stories) < 3 {
			t.Fatalf("%s: %d stories, %v", folder, len(stories), err)
		}
		for _, story := range stories {
			name := filepath.Base(filepath.Dir(story))
			if !strings.Contains(string(index), "]("+name+"/README.md)") {
				t.Errorf("%s/README.md does not list %s", folder, name)
			}
			if _, err := os.Stat(filepath.Join(folder, name, "README.md")); err != nil {
				t.Errorf("%s: %v", story, err)
			}
		}
	}
}

// configurations are all YAML files of a folder and below, as seen from there.
func configurations(t *testing.T, folder string) (files []string) {
	t.Helper()
	for _, file := range listed(t, folder) {
		if filepath.Ext(file) == ".yaml" && !strings.Contains(file, "/theirs/") {
			files = append(files, strings.TrimPrefix(file, folder+"/"))
		}
	}
	return files
}

// play compares a page with the files that it shows, and types its commands in
// a copy of the folder. It returns the commands.
func play(t *testing.T, programs, page, folder string) []command {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	now := string(text)
	for _, shown := range files(now) {
		now = shown.check(t, page, folder, now)
	}
	typed := commands(now)
	if len(typed) > 0 {
		s := open(t, programs, folder)
		now = s.typeAll(page, now, typed)
	}
	if *update && now != string(text) {
		write(t, page, now)
	}
	return typed
}

// shown is a file that a page shows, below a comment with its name.
type shown struct{ name, before, text, after string }

var fileBlock = regexp.MustCompile("(?ms)^(<!-- ([\\w./-]+) -->\n```\\w*\n)(.*?)^(```)$")

func files(page string) (all []shown) {
	for _, m := range fileBlock.FindAllStringSubmatch(page, -1) {
		all = append(all, shown{name: m[2], before: m[1], text: m[3], after: m[4]})
	}
	return all
}

// check compares what is shown with the file, and returns the page with the file in it.
func (f shown) check(t *testing.T, page, folder, text string) string {
	t.Helper()
	is, err := os.ReadFile(filepath.Join(folder, f.name))
	if err != nil {
		t.Errorf("%s: %v", page, err)
		return text
	}
	if string(is) != f.text && !*update {
		t.Errorf("%s does not show %s as it is: go test ./docs -update", page, f.name)
	}
	return strings.Replace(text, f.before+f.text+f.after, f.before+string(is)+f.after, 1)
}

// command is one that a page says to type, and what it prints.
type command struct {
	text   string
	prints string
	code   int
}

var (
	console  = regexp.MustCompile("(?ms)^(?:```console\n|<!-- console\n)(.*?)^(?:```|-->)$")
	exitCode = regexp.MustCompile(` +# exit code (\d+)\b`)
)

// commands are those of all console blocks: lines after "$ ", which go on in
// lines after "> ". A comment says when the exit code is not 0.
func commands(page string) (all []command) {
	for _, m := range console.FindAllStringSubmatch(page, -1) {
		for line := range strings.Lines(m[1]) {
			switch last := len(all) - 1; {
			case strings.HasPrefix(line, "$ "):
				c := command{text: line[2:]}
				if m := exitCode.FindStringSubmatch(line); m != nil {
					c.code, _ = strconv.Atoi(m[1])
				}
				all = append(all, c)
			case strings.HasPrefix(line, "> ") && all[last].prints == "":
				all[last].text += line[2:]
			default:
				all[last].prints += line
			}
		}
	}
	return all
}

// build makes what `make build` makes, in a folder that stands for the clone.
func build(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for to, from := range map[string]string{"gateway": "cmd/gateway", "plugins/exec": "plugins/exec", "plugins/http": "plugins/http"} {
		program := exec.Command("go", "build", "-o", filepath.Join(root, "bin", to), "./"+from)
		program.Dir = ".."
		if out, err := program.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", from, err, out)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(root, "bin", "curl")); err != nil {
		t.Fatal(err)
	}
	return root
}

// ports are two of this machine that are free. They are not among those that
// systems give to whoever asks for any.
func ports(t *testing.T) (listen, admin string) {
	t.Helper()
	var found []string
	for port := 20000 + os.Getpid()*131%10000; len(found) < 2 && port < 32000; port++ {
		address := "127.0.0.1:" + strconv.Itoa(port)
		if _, taken := claimed.LoadOrStore(port, true); taken {
			continue
		}
		if l, err := net.Listen("tcp", address); err == nil {
			_ = l.Close()
			found = append(found, address)
		}
	}
	if len(found) < 2 {
		t.Fatal("no ports are free")
	}
	return found[0], found[1]
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
