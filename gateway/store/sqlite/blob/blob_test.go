package blob

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// row is what a database would keep of a value.
type row struct {
	file         int64
	where, value []byte
}

// store is files and the rows of their values.
type store struct {
	*testing.T
	dir   string
	files *Files
	rows  []row
	rnd   *rand.Rand
}

func newStore(t *testing.T) *store {
	s := &store{T: t, dir: t.TempDir(), rnd: rand.New(rand.NewPCG(1, 2))}
	s.open()
	return s
}

func (s *store) open() {
	s.Helper()
	var err error
	if s.files, err = Open(s.dir); err != nil {
		s.Fatal(err)
	}
	s.files.FileSize = 1000
}

func (s *store) put(n int) (put []row) {
	s.Helper()
	for range n {
		value := bytes.Repeat([]byte{byte(s.rnd.IntN(256))}, s.rnd.IntN(400))
		file, where, err := s.files.Put(value)
		if err != nil {
			s.Fatal(err)
		}
		put = append(put, row{file, where, value})
	}
	return put
}

// commit puts values and their rows.
func (s *store) commit(n int) {
	s.Helper()
	put := s.put(n)
	if err := s.files.Sync(); err != nil {
		s.Fatal(err)
	}
	s.files.Keep()
	s.rows = append(s.rows, put...)
}

func (s *store) check() {
	s.Helper()
	for i, r := range s.rows {
		var got []byte
		if err := s.files.Read(r.file, r.where, func(value []byte) { got = bytes.Clone(value) }); err != nil || !bytes.Equal(got, r.value) {
			s.Errorf("value %d of %d in file %d: %v, %.20x, want %.20x", i, len(s.rows), r.file, err, got, r.value)
		}
	}
	size := int64(0)
	all, err := s.files.list()
	for _, n := range all {
		size += n
	}
	if err != nil || size < s.files.Size() {
		s.Errorf("%d bytes in all, told %d, %v", size, s.files.Size(), err)
	}
}

// Values are what they were, through whatever becomes of those after them.
func TestValues(t *testing.T) {
	s := newStore(t)
	for range 200 {
		switch s.rnd.IntN(4) {
		case 0:
			s.put(s.rnd.IntN(9))
			s.files.Forget()
		case 1: // killed before the commit
			s.put(s.rnd.IntN(9))
			s.open()
		default:
			s.commit(s.rnd.IntN(9))
		}
		s.check()
	}
	if all, err := s.files.list(); err != nil || len(all) < 20 {
		t.Errorf("%d files, %v", len(all), err)
	}
}

// What is not kept leaves no room behind, as on a disk that is full and full again.
func TestForgetTakesNoRoom(t *testing.T) {
	s := newStore(t)
	s.commit(3)
	put := len(s.put(9))
	s.files.Forget()
	all, _ := s.files.list()
	for range 100 {
		s.put(put / 3)
		s.files.Forget()
	}
	if again, err := s.files.list(); err != nil || len(again) > len(all) {
		t.Errorf("%d files became %d, %v", len(all), len(again), err)
	}
}

// Files leave when they are done with; one that is read is there until it has been.
func TestRemove(t *testing.T) {
	s := newStore(t)
	s.commit(30)
	newest := s.rows[len(s.rows)-1].file
	done, err := s.files.Done()
	slices.Sort(done)
	if err != nil || len(done) != int(newest-1) || slices.Contains(done, newest) {
		t.Fatalf("done %d of %d, %v", done, newest, err)
	}
	release := s.files.Hold()
	var read sync.WaitGroup
	read.Go(func() {
		defer release()
		s.check()
	})
	if err := s.files.Remove(done); err != nil {
		t.Fatal(err)
	}
	read.Wait()
	if err := s.files.Read(s.rows[0].file, s.rows[0].where, func([]byte) {}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read of what is gone: %v", err)
	}
	s.rows = slices.DeleteFunc(s.rows, func(r row) bool { return r.file < newest })
	s.check()
	left, err := os.Stat(s.files.path(newest))
	if err != nil || left.Size() != s.files.Size() {
		t.Errorf("%d bytes left, told %d, %v", left.Size(), s.files.Size(), err)
	}
}

// What a row tells may be damaged.
func TestNoSuchPlace(t *testing.T) {
	s := newStore(t)
	s.commit(3)
	read := func(file int64, where string) error {
		return s.files.Read(file, []byte(where), func([]byte) { t.Errorf("read %q", where) })
	}
	for _, where := range []string{"", "\x01", "\x80", "\x00\x80", "\x00\x00\x00", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\x01"} {
		if err := read(1, where); err == nil {
			t.Errorf("%q is a place", where)
		}
	}
	for _, where := range []string{"\x00\xff\x7f", "\xff\x7f\x00", "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"} {
		if err := read(1, where); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q: %v", where, err)
		}
	}
	if err := read(99, "\x00\x01"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("another file: %v", err)
	}
}

// Other files of the folder are not its own.
func TestOthersFiles(t *testing.T) {
	s := newStore(t)
	for _, name := range []string{"events-x", "events-7", "events-000007.bak"} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.open()
	s.commit(30)
	done, err := s.files.Done()
	if err == nil {
		err = s.files.Remove(done)
	}
	if others, _ := filepath.Glob(filepath.Join(s.dir, "events-*")); err != nil || len(others) != 4 {
		t.Errorf("%v, %v", others, err)
	}
}
