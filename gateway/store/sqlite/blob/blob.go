// Package blob keeps large values beside the database of the embedded store, in files
// that are appended to and removed as a whole: SQLite would write each of them twice,
// a page at a time. A row tells where its value is, and a value is on stable storage
// before its row is. It stands below the store's connections.
package blob

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/event-gateway/gateway/gateway/store/sqlite/folder"
)

// Files are those of a folder. Put, Sync, Keep, Kept and Forget are for the one goroutine
// that writes; the other methods are for everybody.
type Files struct {
	// FileSize is how large a file becomes, in bytes: it leaves when all in it has left.
	FileSize int64

	dir string
	// at is where the next value goes; values before kept have rows.
	at, kept place
	// open are the files that have what was put since, which are grew bytes.
	open        []*os.File
	grew, total int64
	// named is the newest file whose name lasts.
	named int64
	// writing is the number of the file that kept is in.
	writing, size atomic.Int64
	// reading is held while a row is read, and then its value.
	reading sync.RWMutex
}

// place is where a value ends: the number of a file, and how far into it.
type place struct{ file, end int64 }

// Open opens the files of a folder. Values are put behind all that is there, whether
// or not it has rows: what a process that was killed had put last has none.
func Open(dir string) (*Files, error) {
	f := &Files{FileSize: 64 << 20, dir: dir}
	all, err := f.list()
	for file, size := range all {
		f.size.Add(size)
		if file > f.kept.file {
			f.kept = place{file, size}
		}
	}
	f.settle(f.kept)
	return f, err
}

func (f *Files) path(file int64) string {
	return filepath.Join(f.dir, fmt.Sprintf("events-%06d", file))
}

// Put appends a value. What it returns is for its row: the number of a file, and
// where in it.
func (f *Files) Put(value []byte) (file int64, where []byte, err error) {
	last, err := f.last()
	if err != nil {
		return 0, nil, err
	}
	if _, err := last.WriteAt(value, f.at.end); err != nil {
		return 0, nil, err
	}
	where = binary.AppendUvarint(nil, uint64(f.at.end))
	where = binary.AppendUvarint(where, uint64(len(value)))
	f.at.end += int64(len(value))
	f.grew += int64(len(value))
	return f.at.file, where, nil
}

// last is the file that a value is appended to.
func (f *Files) last() (*os.File, error) {
	flags, next := os.O_RDWR, f.at
	switch {
	case next.file == 0 || next.end >= f.FileSize:
		flags, next = os.O_RDWR|os.O_CREATE, place{file: next.file + 1}
	case len(f.open) > 0:
		return f.open[len(f.open)-1], nil
	}
	file, err := os.OpenFile(f.path(next.file), flags, 0o600)
	if err != nil {
		return nil, err
	}
	f.at, f.open = next, append(f.open, file)
	return file, nil
}

// Sync returns when all that has been put is on stable storage.
func (f *Files) Sync() error {
	if len(f.open) == 0 {
		return nil
	}
	for _, file := range f.open {
		if err := file.Sync(); err != nil {
			return err
		}
	}
	if f.at.file > f.named {
		if err := folder.Sync(f.dir); err != nil {
			return err
		}
		f.named = f.at.file
	}
	return nil
}

// Keep is for when the rows of what has been put are committed.
func (f *Files) Keep() {
	f.size.Add(f.grew)
	f.total += f.grew
	f.settle(f.at)
}

// Kept is how many bytes have been, since the files were opened.
func (f *Files) Kept() int64 { return f.total }

// Forget is for when they are not, and never will be: what is put next takes the
// place of it.
func (f *Files) Forget() { f.settle(f.kept) }

func (f *Files) settle(at place) {
	for _, file := range f.open {
		_ = file.Close() // what is needed of it has been synced
	}
	f.at, f.kept, f.open, f.grew = at, at, nil, 0
	f.writing.Store(at.file)
}
