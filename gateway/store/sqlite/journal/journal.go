// Package journal is the embedded store's ingest log: what a sender waits for
// is appended here and synced, and SQLite is filled from it behind. It stands
// below the store's writer and knows records as bytes only.
//
// A record is one commit: a header, the payload, and zeros up to the next
// multiple of 512 bytes. Records are numbered without gaps and lie in segment
// files of a fixed size. A segment whose records are all in SQLite is written
// over: syncing data in blocks that a file already has costs half of what
// growing it costs, because the file system has nothing to note.
package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

const (
	// segmentSize is that of a usual segment, in bytes; a larger record gets one
	// of its own size.
	segmentSize = 4 << 20
	// block is what records are aligned to: a disk's smallest sector.
	block = 512
	// spares bounds the segments that are kept to be written over.
	spares = 8
	// keepBuffer bounds the buffer that is kept from record to record.
	keepBuffer = 1 << 20
)

// The header: magic, length of the payload, number, checksum of all of it but
// itself. The magic is the format's version.
const (
	magic      = 0x31_4a_47_45 // "EGJ1"
	headerSize = 4 + 4 + 8 + 4
)

// ErrFull: the disk has no room for the record. Nothing was written.
var ErrFull = errors.New("journal: disk full")

// File is what a segment is kept in; *os.File is one.
type File interface {
	ReadAt(p []byte, off int64) (int, error)
	WriteAt(p []byte, off int64) (int, error)
	// Sync returns when what was written is on stable storage.
	Sync() error
	Close() error
}

// Journal is an open log. Append is for one goroutine, Release for another.
type Journal struct {
	dir  string
	salt uint32
	open func(path string) (File, error)
	next uint64
	buf  []byte

	mu    sync.Mutex
	used  []*segment // oldest first; the last is being written
	spare []*segment
	files int // ever made, for their names
}

type segment struct {
	file      File
	path      string
	size, end int64
	last      uint64 // number of its newest record
	// found is the size that its file had when the journal was opened: one that was
	// cut off may end within a block.
	found int64
}

// Open opens the log in a folder, which must exist, and reads nothing yet. The
// salt belongs to the store: no payload can pass for a record without it.
func Open(dir string, salt uint32) (*Journal, error) { return OpenWith(dir, salt, openFile) }

// OpenWith is Open with files of another make, which open makes or opens.
func OpenWith(dir string, salt uint32, open func(path string) (File, error)) (*Journal, error) {
	j := &Journal{dir: dir, salt: salt, open: open}
	paths, err := filepath.Glob(filepath.Join(dir, "journal-*"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		s, err := j.existing(path)
		if err != nil {
			return nil, errors.Join(err, j.Close())
		}
		j.spare = append(j.spare, s)
		var n int
		if _, err := fmt.Sscanf(filepath.Base(path), "journal-%d", &n); err == nil {
			j.files = max(j.files, n)
		}
	}
	return j, nil
}

func (j *Journal) existing(path string) (*segment, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	f, err := j.open(path)
	if err != nil {
		return nil, err
	}
	return &segment{file: f, path: path, size: info.Size() / block * block, found: info.Size()}, nil
}

// Append numbers a record, has its payload appended to a buffer, and returns
// when it is on stable storage. After ErrFull the same number comes again;
// after every other error nobody knows what is on disk.
func (j *Journal) Append(payload func([]byte) []byte) (number uint64, err error) {
	rec := j.record(payload)
	s, err := j.room(int64(len(rec)))
	if err == nil {
		_, err = s.file.WriteAt(rec, s.end)
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return 0, fmt.Errorf("%w: %w", ErrFull, err)
	}
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		return 0, fmt.Errorf("journal %s: %w", s.path, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	s.end += int64(len(rec))
	s.last = j.next
	j.next++
	return s.last, nil
}

// record makes the bytes of the next record.
func (j *Journal) record(payload func([]byte) []byte) []byte {
	var header [headerSize]byte
	rec := payload(append(j.buf[:0], header[:]...))
	binary.LittleEndian.PutUint32(rec[0:], magic)
	binary.LittleEndian.PutUint32(rec[4:], uint32(len(rec)-headerSize))
	binary.LittleEndian.PutUint64(rec[8:], j.next)
	binary.LittleEndian.PutUint32(rec[16:], j.sum(rec))
	var zeros [block]byte
	rec = append(rec, zeros[:padding(len(rec))]...)
	j.buf = nil
	if cap(rec) <= keepBuffer {
		j.buf = rec
	}
	return rec
}

// sum is the checksum of a record without its padding.
func (j *Journal) sum(rec []byte) uint32 {
	sum := crc32.Update(j.salt, castagnoli, rec[:headerSize-4])
	return crc32.Update(sum, castagnoli, rec[headerSize:])
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func padding(n int) int { return (block - n%block) % block }

// room is the segment to write n bytes to: the last, a spare one or a new one.
func (j *Journal) room(n int64) (*segment, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.used) > 0 {
		if s := j.used[len(j.used)-1]; s.end+n <= s.size {
			return s, nil
		}
	}
	for i, s := range j.spare {
		if s.size >= n {
			j.spare = append(j.spare[:i], j.spare[i+1:]...)
			return j.begin(s), nil
		}
	}
	s, err := j.create(max(segmentSize, n))
	if err != nil {
		return nil, err
	}
	return j.begin(s), nil
}

func (j *Journal) begin(s *segment) *segment {
	s.end, s.last = 0, 0
	j.used = append(j.used, s)
	return s
}

// create makes a segment of zeros and syncs it with its folder, so that
// nothing but data remains to be synced by the records.
func (j *Journal) create(size int64) (s *segment, err error) {
	path := filepath.Join(j.dir, fmt.Sprintf("journal-%06d", j.files+1))
	s = &segment{path: path, size: size}
	if s.file, err = j.open(path); err != nil {
		return s, err
	}
	if err = zero(s.file, size); err == nil {
		err = s.file.Sync()
	}
	if err == nil {
		err = syncDir(j.dir)
	}
	if err != nil {
		return s, errors.Join(err, s.file.Close(), os.Remove(path))
	}
	j.files++
	return s, nil
}

func zero(f File, size int64) error {
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < size; {
		n, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at)
		if err != nil {
			return err
		}
		at += int64(n)
	}
	return nil
}

// Release tells that the records up to a number are safe elsewhere. After
// Replay it must have been told of them before anything is appended.
func (j *Journal) Release(number uint64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for len(j.used) > 1 && j.used[0].last <= number {
		j.spare = append(j.spare, j.used[0])
		j.used = j.used[1:]
	}
	return j.trim()
}

// trim removes spare segments that are too many or of an odd size.
func (j *Journal) trim() error {
	var errs []error
	kept := j.spare[:0]
	for _, s := range j.spare {
		if s.size == segmentSize && len(kept) < spares {
			kept = append(kept, s)
			continue
		}
		errs = append(errs, s.file.Close(), os.Remove(s.path))
	}
	clear(j.spare[len(kept):])
	j.spare = kept
	return errors.Join(errs...)
}

// Size is how many bytes the segments take.
func (j *Journal) Size() (n int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, list := range [][]*segment{j.used, j.spare} {
		for _, s := range list {
			n += s.size
		}
	}
	return n
}

// Close closes the files.
func (j *Journal) Close() error {
	var errs []error
	for _, list := range [][]*segment{j.used, j.spare} {
		for _, s := range list {
			errs = append(errs, s.file.Close())
		}
	}
	j.used, j.spare = nil, nil
	return errors.Join(errs...)
}
