package blob

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// keepRoom bounds the room for a value that is used again.
const keepRoom = 1 << 20

var rooms = sync.Pool{New: func() any { return new([]byte) }}

// Read calls use with the value of a row, which is for that call only. Whoever reads
// rows holds the files meanwhile: see Hold. Errors tell the file.
func (f *Files) Read(file int64, where []byte, use func(value []byte)) error {
	if err := f.read(file, where, use); err != nil {
		return fmt.Errorf("%s: %w", f.path(file), err)
	}
	return nil
}

func (f *Files) read(file int64, where []byte, use func(value []byte)) error {
	at, n := binary.Uvarint(where)
	size, m := binary.Uvarint(where[max(n, 0):])
	if n <= 0 || m <= 0 || n+m != len(where) {
		return errors.New("a row tells no place in it")
	}
	from, err := os.Open(f.path(file))
	if err != nil {
		return err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	if whole := uint64(info.Size()); at > whole || size > whole-at {
		return io.ErrUnexpectedEOF
	}
	room := rooms.Get().(*[]byte)
	if uint64(cap(*room)) < size {
		*room = make([]byte, size)
	}
	value := (*room)[:size]
	if _, err := from.ReadAt(value, int64(at)); err != nil {
		return err
	}
	use(value)
	if cap(*room) <= keepRoom {
		rooms.Put(room)
	}
	return nil
}

// Hold keeps files where they are until release is called. Who holds them must not hold
// them once more.
func (f *Files) Hold() (release func()) {
	f.reading.RLock()
	return f.reading.RUnlock
}

// Done are the files that nothing will be put into any more.
func (f *Files) Done() (list []int64, err error) {
	all, err := f.list()
	for file := range all {
		if file < f.writing.Load() {
			list = append(list, file)
		}
	}
	return list, err
}

// Remove removes files that no row tells of any more.
func (f *Files) Remove(list []int64) error {
	// Who has read a row that was there reads its value first.
	f.reading.Lock()
	f.reading.Unlock() //nolint:staticcheck // nobody will come to them after this
	for _, file := range list {
		info, err := os.Stat(f.path(file))
		if err == nil {
			err = os.Remove(f.path(file))
		}
		if err != nil {
			return err
		}
		f.size.Add(-info.Size())
	}
	return nil
}

// Size is how many bytes they take.
func (f *Files) Size() int64 { return f.size.Load() }

// list finds the files, with their sizes.
func (f *Files) list() (map[int64]int64, error) {
	paths, err := filepath.Glob(filepath.Join(f.dir, "events-*"))
	all := map[int64]int64{}
	for _, path := range paths {
		var file int64
		if _, err := fmt.Sscanf(filepath.Base(path), "events-%d", &file); err != nil || path != f.path(file) {
			continue // not one of ours
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		all[file] = info.Size()
	}
	return all, err
}
