package e2e

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// way is how a new configuration gets to the gateway.
type way struct {
	name string
	// reason is what the gateway logs.
	reason string
	write  func(s *site, yaml string)
	// ask makes the gateway look; the watcher does when it is nil.
	ask func(t *testing.T, s *site, valid bool)
	// within is how soon it must be in force; zero: inForce.
	within time.Duration
}

func ways() []way {
	return []way{
		{"rename", "file", (*site).write, nil, 0},
		{"truncate", "file", truncate, nil, 0},
		{"delete and create", "file", create, nil, 0},
		{"SIGHUP", "SIGHUP", (*site).write, func(t *testing.T, s *site, _ bool) { s.current().signal(t, syscall.SIGHUP) }, 0},
		{"POST", "api", (*site).write, post, 0},
		{"gateway reload", "api", (*site).write, command, 0},
	}
}

// create has no file there for a moment.
func create(s *site, yaml string) {
	if err := errors.Join(os.Remove(s.config), os.WriteFile(s.config, []byte(s.fill(yaml)), 0o600)); err != nil {
		s.t.Fatal(err)
	}
}

// truncate empties the file and then writes it bit by bit, as a slow editor.
func truncate(s *site, yaml string) {
	f, err := os.Create(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	text := s.fill(yaml)
	for len(text) > 0 {
		n := min(100, len(text))
		if _, err := f.WriteString(text[:n]); err != nil {
			s.t.Fatal(err)
		}
		text = text[n:]
	}
	if err := f.Close(); err != nil {
		s.t.Fatal(err)
	}
}

func post(t *testing.T, s *site, valid bool) {
	want := http.StatusOK
	if !valid {
		want = http.StatusUnprocessableEntity
	}
	if code, problems := s.current().reload(t); code != want {
		t.Errorf("POST /-/reload: %d, want %d: %v", code, want, problems)
	}
}

func command(t *testing.T, s *site, valid bool) {
	out, err := exec.Command(built.gateway, "reload", "--admin", s.current().admin).CombinedOutput()
	if valid != (err == nil) {
		t.Errorf("gateway reload of a configuration, valid %v: %v: %s", valid, err, out)
	}
}

// mount lays the configuration out as Kubernetes mounts one: the file is a
// link into the folder ..data, itself a link, which is swapped.
func mount(s *site) {
	if err := errors.Join(os.Remove(s.config), os.Symlink("..data/gateway.yaml", s.config)); err != nil {
		s.t.Fatal(err)
	}
	swapData(s, revision(0))
}

// flip has the file be a link to another one.
func flip(s *site, yaml string) {
	s.t.Helper()
	file, err := os.CreateTemp(s.dir, "revision-*.yaml")
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = file.WriteString(s.fill(yaml))
	old, _ := os.Readlink(s.config) // none at first
	link := s.config + ".new"
	err = errors.Join(err, file.Close(), os.Symlink(filepath.Base(file.Name()), link), os.Rename(link, s.config))
	if old != "" {
		err = errors.Join(err, os.Remove(s.path(old)))
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func swapData(s *site, yaml string) {
	s.t.Helper()
	folder, err := os.MkdirTemp(s.dir, "..2026_")
	if err != nil {
		s.t.Fatal(err)
	}
	data := s.path("..data")
	old, _ := os.Readlink(data) // none at first
	link := s.path("..data_tmp")
	err = errors.Join(
		os.WriteFile(filepath.Join(folder, "gateway.yaml"), []byte(s.fill(yaml)), 0o600),
		os.Symlink(filepath.Base(folder), link), os.Rename(link, data))
	if old != "" {
		err = errors.Join(err, os.RemoveAll(s.path(old)))
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// elsewhere is another name of the configuration's file, in a folder that nobody
// watches.
const elsewhere = "out/elsewhere.yaml"

// hide gives the file a second name.
func hide(s *site) {
	if err := os.Link(s.config, s.path(elsewhere)); err != nil {
		s.t.Fatal(err)
	}
}

// unseen writes the file under its other name: its folder has no event of it, as
// on a file system that has none.
func unseen(s *site, yaml string) {
	if err := os.WriteFile(s.path(elsewhere), []byte(s.fill(yaml)), 0o600); err != nil {
		s.t.Fatal(err)
	}
}
