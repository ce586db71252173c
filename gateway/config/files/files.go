// Package files is about the files that a configuration consists of: reading
// each once per load, and noticing when their content becomes another.
package files

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Limit is the largest file that is read, in bytes.
const Limit = 4 << 20

// Set remembers the files of one load and their content, so that all of the
// load sees the same.
type Set struct {
	paths []string
	read  map[string]content
	// closed: lists have what was put, and nothing of the disk.
	closed bool
}

type content struct {
	bytes []byte
	err   error
	sum   [sha256.Size]byte // of bytes
}

// NewSet returns an empty set.
func NewSet() *Set { return &Set{read: map[string]content{}} }

// Closed returns a set with files whose content is known. A list has those of
// them that match, whatever is on the disk; what else is read, is read from it.
func Closed(known map[string][]byte) *Set {
	s := NewSet()
	s.closed = true
	for _, path := range slices.Sorted(maps.Keys(known)) {
		s.Put(path, known[path])
	}
	return s
}

// Again returns a closed set with what this one has kept of some files.
func (s *Set) Again(paths []string) *Set {
	known := map[string][]byte{}
	for _, path := range paths {
		if got, ok := s.read[path]; ok && got.err == nil && !isList(path) {
			known[path] = got.bytes
		}
	}
	return Closed(known)
}

// Read reads a file, or returns what it read of it before.
func (s *Set) Read(path string) ([]byte, error) {
	if got, ok := s.read[path]; ok {
		return got.bytes, got.err
	}
	var text []byte
	var err error
	if pattern, list := strings.CutPrefix(path, listMark); list {
		text, err = s.list(pattern)
	} else {
		text, err = read(path)
	}
	s.add(path, text, err)
	return text, err
}

// Put adds a file whose content is known already.
func (s *Set) Put(path string, text []byte) { s.add(path, text, nil) }

func (s *Set) add(path string, text []byte, err error) {
	s.paths = append(s.paths, path)
	s.read[path] = content{text, err, sha256.Sum256(text)}
}

// Forget lets go of what the files hold, some of it secret, once the load is
// over: what remains tells whether they have changed. Some are kept.
func (s *Set) Forget(but []string) {
	for path, got := range s.read {
		if !slices.Contains(but, path) {
			got.bytes = nil
			s.read[path] = got
		}
	}
}

// Paths lists the files in the order they were first asked for, those that
// could not be read included.
func (s *Set) Paths() []string { return slices.Clone(s.paths) }

// Fingerprint is another for other files, for other content, and when a file
// appears or goes. The paths are some of those that were read.
func (s *Set) Fingerprint(paths []string) string {
	whole := sha256.New()
	for _, path := range paths {
		got := s.read[path]
		line := strings.Join([]string{path, strconv.FormatBool(got.err == nil), hex.EncodeToString(got.sum[:])}, "\x00")
		_, _ = io.WriteString(whole, line+"\x00")
	}
	return hex.EncodeToString(whole.Sum(nil))
}

// read refuses what could block or never end: pipes, devices, folders.
func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(io.LimitReader(f, Limit+1))
	if err == nil && int64(len(content)) > Limit {
		err = fmt.Errorf("is larger than %d MiB", Limit>>20)
	}
	return content, err
}

// Reason words a file error without the path, which the message around it has.
func Reason(err error) string {
	var at *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "does not exist"
	case errors.Is(err, fs.ErrPermission):
		return "permission denied"
	case errors.As(err, &at):
		return at.Err.Error()
	}
	return err.Error()
}
