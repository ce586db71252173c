package files

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// watchList watches what matches a pattern, as a gateway does what it includes;
// what is loaded is the names and their content.
func watchList(t *testing.T, pattern string) *watched {
	t.Helper()
	w := &watched{t: t, loaded: make(chan string, 100)}
	look := func() {
		set := NewSet()
		paths, _, err := set.List(pattern)
		must(t, err)
		var all []string
		for _, path := range paths {
			text, _ := set.Read(path)
			all = append(all, filepath.Base(path)+"="+string(text))
		}
		w.watcher.SetFiles(set.Paths(), set.Fingerprint(set.Paths()))
		w.loaded <- strings.Join(all, " ")
	}
	w.start(look)
	return w
}

func TestWatchListFiles(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "routes.d")
	at := func(name string) string { return filepath.Join(dir, name) }
	w := watchList(t, at("*.yaml"))
	w.expect("")
	write(t, at("b.yaml"), "1") // the folder appears, too
	w.expect("b.yaml=1")
	write(t, at("a.yaml"), "2")
	w.expect("a.yaml=2 b.yaml=1")
	write(t, at(".a.yaml.swp"), "x")
	write(t, at(".c.yaml"), "x")
	write(t, at("a.yaml~"), "3")
	must(t, os.Rename(at("a.yaml~"), at("a.yaml")))
	w.expect("a.yaml=3 b.yaml=1")
	must(t, os.Rename(at("b.yaml"), at("b.yaml.off")))
	w.expect("a.yaml=3")
	must(t, os.Remove(at("a.yaml")))
	w.expect("")
	must(t, os.RemoveAll(dir))
	write(t, at("z.yaml"), "4")
	w.expect("z.yaml=4")
}

// A folder that is mounted from a ConfigMap: links into ..data, which is swapped.
func TestWatchListKubernetes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	swap := func(version string, names ...string) {
		for _, name := range names {
			write(t, filepath.Join(dir, version, name), version)
			_ = os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name))
		}
		must(t, os.Symlink(version, filepath.Join(dir, "..data_tmp")))
		must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	swap("..v1", "a.yaml")
	w := watchList(t, filepath.Join(dir, "*.yaml"))
	w.expect("a.yaml=..v1")
	swap("..v2", "a.yaml", "b.yaml")
	w.expect("a.yaml=..v2 b.yaml=..v2")
	swap("..v3", "a.yaml", "b.yaml")
	must(t, os.Remove(filepath.Join(dir, "b.yaml")))
	w.expect("a.yaml=..v3")
}

// A folder that is itself a link, swapped for another.
func TestWatchListLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	swap := func(version string) {
		write(t, filepath.Join(dir, "releases", version, "a.yaml"), version)
		must(t, os.Symlink(filepath.Join("releases", version), filepath.Join(dir, "next")))
		must(t, os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "current")))
	}
	swap("1")
	w := watchList(t, filepath.Join(dir, "current", "*.yaml"))
	w.expect("a.yaml=1")
	for _, version := range []string{"2", "3"} {
		swap(version)
		w.expect("a.yaml=" + version)
	}
}

// What is put into a closed set is all that it lists.
func TestClosed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at("disk.yaml"), "1")
	set := Closed(map[string][]byte{at("b.yaml"): []byte("2"), at("a.yaml"): []byte("3"), at("c.txt"): nil, at("sub/d.yaml"): nil})
	paths, watch, err := set.List(at("*.yaml"))
	if err != nil || !slices.Equal(paths, []string{at("a.yaml"), at("b.yaml")}) || watch != "list:"+at("*.yaml") {
		t.Errorf("lists %v, %q, %v", paths, watch, err)
	}
	if text, err := set.Read(at("disk.yaml")); string(text) != "1" || err != nil {
		t.Errorf("what it refers to: %q %v", text, err)
	}
	set.Forget([]string{at("a.yaml")})
	again := set.Again([]string{at("a.yaml"), watch, at("gone")})
	if paths, _, _ := again.List(at("*.yaml")); !slices.Equal(paths, []string{at("a.yaml")}) {
		t.Errorf("again lists %v", paths)
	}
	if _, _, err := NewSet().List(at("[")); err == nil {
		t.Error("a broken pattern is none")
	}
}
