package journal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

// place is where a record lies.
type place struct {
	number  uint64
	segment *segment
	at      int64
	length  int
}

// Replay reads the records after a number, in order, and must come before the
// first Append, which follows the last of them. A record that was being
// written at a crash is no record: nobody was told of it. One that is damaged
// and has later ones behind it is an error.
func (j *Journal) Replay(after uint64, each func(number uint64, payload []byte) error) error {
	var all []place
	for _, s := range j.spare {
		found, err := j.scan(s, after)
		if err != nil {
			return err
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b place) int { return int(a.number - b.number) })
	j.next = after + 1
	for _, p := range all {
		if p.number != j.next {
			return fmt.Errorf("journal %s: record %d is damaged or missing, and %d follows: restore the folder, or move the journal-* files "+
				"away to start without the events accepted since", j.dir, j.next, p.number)
		}
		payload := make([]byte, p.length)
		if _, err := p.segment.file.ReadAt(payload, p.at+headerSize); err != nil {
			return fmt.Errorf("journal %s: %w", p.segment.path, err)
		}
		if err := each(p.number, payload); err != nil {
			return fmt.Errorf("journal %s: record %d: %w", p.segment.path, p.number, err)
		}
		j.next++
	}
	return nil
}

// scan finds the whole records of a segment that come after a number. It looks
// at every block: what lies behind a damaged record must be seen.
func (j *Journal) scan(s *segment, after uint64) (found []place, err error) {
	data := make([]byte, s.found)
	if _, err := s.file.ReadAt(data, 0); err != nil {
		return nil, fmt.Errorf("journal %s: %w", s.path, err)
	}
	if s.size < segmentSize && len(bytes.Trim(data, "\x00")) > 0 {
		return nil, fmt.Errorf("journal %s: its end is missing: restore the folder", s.path) // it was whole before the first record
	}
	for at := 0; at+headerSize <= len(data); {
		number, length, ok := j.parse(data[at:])
		if !ok {
			at += block
			continue
		}
		if number > after {
			found = append(found, place{number, s, int64(at), length})
		}
		at += headerSize + length + padding(headerSize+length)
	}
	return found, nil
}

// parse reads the record that b begins with, if it is whole.
func (j *Journal) parse(b []byte) (number uint64, length int, ok bool) {
	if binary.LittleEndian.Uint32(b) != magic {
		return 0, 0, false
	}
	length = int(binary.LittleEndian.Uint32(b[4:]))
	if length > len(b)-headerSize {
		return 0, 0, false
	}
	rec := b[:headerSize+length]
	return binary.LittleEndian.Uint64(b[8:]), length, j.sum(rec) == binary.LittleEndian.Uint32(b[16:])
}
