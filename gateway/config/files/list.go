package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// listMark is before a pattern among paths, which begin with a slash.
const listMark = "list:"

func isList(path string) bool { return strings.HasPrefix(path, listMark) }

// IsPattern tells whether a path stands for all files of a folder that match.
func IsPattern(path string) bool { return strings.ContainsAny(filepath.Base(path), "*?[") }

// List lists the files that match a pattern, whose folder has no stars in it,
// by name. Hidden ones do not match: editors and Kubernetes have theirs there.
// A folder that does not exist has none. The second result is the path under
// which the list can be watched.
func (s *Set) List(pattern string) (paths []string, watch string, err error) {
	text, err := s.Read(listMark + pattern)
	if len(text) > 0 {
		paths = strings.Split(string(text), "\x00")
	}
	return paths, listMark + pattern, err
}

// list is a list as the content of something that can be read.
func (s *Set) list(pattern string) ([]byte, error) {
	dir, name := filepath.Split(pattern)
	if _, err := filepath.Match(name, ""); err != nil {
		return nil, errors.New("is not a pattern: a bracket is not closed")
	}
	var found []string
	if s.closed {
		for path := range s.read {
			if !isList(path) && filepath.Dir(path) == filepath.Clean(dir) && matches(name, filepath.Base(path)) {
				found = append(found, path)
			}
		}
	} else {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			if matches(name, e.Name()) {
				found = append(found, filepath.Join(dir, e.Name()))
			}
		}
	}
	slices.Sort(found)
	return []byte(strings.Join(found, "\x00")), nil
}

func matches(pattern, name string) bool {
	ok, _ := filepath.Match(pattern, name) // the pattern has been tried
	return ok && !strings.HasPrefix(name, ".")
}
