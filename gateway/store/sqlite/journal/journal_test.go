package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

const salt = 0x5eed

// reopen replays a folder's journal and returns what it has after a number.
func reopen(t *testing.T, dir string, after uint64) (*Journal, []string, error) {
	t.Helper()
	j, err := Open(dir, salt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	var got []string
	next := after
	err = j.Replay(after, func(number uint64, payload []byte) error {
		if next++; number != next {
			t.Errorf("record %d after %d", number, next-1)
		}
		got = append(got, string(payload))
		return nil
	})
	return j, got, err
}

func fresh(t *testing.T, dir string) *Journal {
	t.Helper()
	j, got, err := reopen(t, dir, 0)
	if err != nil || len(got) > 0 {
		t.Fatalf("fresh: %d records, %v", len(got), err)
	}
	return j
}

func put(t *testing.T, j *Journal, payload string) uint64 {
	t.Helper()
	n, err := j.Append(func(b []byte) []byte { return append(b, payload...) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// texts are payloads of all sizes around those of blocks and segments.
func texts() (list []string) {
	for i, n := range []int{0, 1, block - headerSize - 1, block - headerSize, block - headerSize + 1, 5000, 1 << 20, segmentSize - headerSize, segmentSize, 100} {
		list = append(list, strings.Repeat(string(rune('a'+i)), n))
	}
	return list
}

func TestReplay(t *testing.T) {
	dir := t.TempDir()
	j := fresh(t, dir)
	want := texts()
	for i, text := range want {
		if n := put(t, j, text); n != uint64(i+1) {
			t.Errorf("record %d is number %d", i+1, n)
		}
	}
	for after := range uint64(len(want)) {
		again, got, err := reopen(t, dir, after)
		if err != nil || !slices.Equal(got, want[after:]) {
			t.Errorf("after %d: %d records, want %d: %v", after, len(got), len(want)-int(after), err)
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
	j, _, err := reopen(t, dir, uint64(len(want)))
	if n := put(t, j, "x"); err != nil || n != uint64(len(want)+1) {
		t.Errorf("the next number is %d, %v", n, err)
	}
}

// Segments are used again, and what they held before never comes back.
func TestRecycling(t *testing.T) {
	dir := t.TempDir()
	j := fresh(t, dir)
	body := strings.Repeat("x", 300_000)
	var last uint64
	for i := range 200 {
		last = put(t, j, fmt.Sprint(i, body))
		if i%10 == 9 {
			if err := j.Release(last - 3); err != nil {
				t.Fatal(err)
			}
		}
	}
	if size := j.Size(); size > 4*segmentSize {
		t.Errorf("%d MiB of segments for little more than one in use", size>>20)
	}
	_, got, err := reopen(t, dir, last-3)
	if err != nil || len(got) != 3 || !strings.HasPrefix(got[2], "199x") {
		t.Errorf("%d records %v", len(got), err)
	}
}

// Odd and surplus segments leave when what they held is safe elsewhere.
func TestTrimming(t *testing.T) {
	dir := t.TempDir()
	j := fresh(t, dir)
	var last uint64
	for range spares + 5 {
		last = put(t, j, strings.Repeat("x", segmentSize-headerSize))
	}
	put(t, j, strings.Repeat("x", segmentSize))
	put(t, j, "")
	if err := j.Release(last + 1); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != spares+1 || j.Size() != (spares+1)*segmentSize {
		t.Errorf("%d files of %d bytes", len(left), j.Size())
	}
}

// damage changes one byte of the only segment.
func damage(t *testing.T, dir string, at int64) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "journal-000001"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x40
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}

// A torn last record is none; a damaged one before others is an error. Every
// byte of it but the padding counts.
func TestDamage(t *testing.T) {
	for record, torn := range []bool{false, false, true} {
		for _, at := range []int64{0, 4, 5, 8, 15, 16, 19, headerSize, headerSize + 9} {
			dir := t.TempDir()
			j := fresh(t, dir)
			for i := range 3 {
				put(t, j, fmt.Sprintf("record no %d", i))
			}
			damage(t, dir, int64(record)*block+at)
			_, got, err := reopen(t, dir, 0)
			switch {
			case torn && (err != nil || len(got) != 2):
				t.Errorf("last record, byte %d: %q %v", at, got, err)
			case !torn && (err == nil || !strings.Contains(err.Error(), fmt.Sprintf("record %d is damaged", record+1))):
				t.Errorf("record %d, byte %d: %q %v", record+1, at, got, err)
			}
		}
	}
}

// A payload that looks like a record is none: it lacks the salt.
func TestPayloadIsNoRecord(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	forger, err := Open(other, salt+1)
	if err != nil || forger.Replay(4, nil) != nil {
		t.Fatal(err)
	}
	forged := forger.record(func(b []byte) []byte { return append(b, "forged"...) })
	j := fresh(t, dir)
	put(t, j, strings.Repeat("x", block-headerSize)+string(forged))
	damage(t, dir, 0)
	if _, got, err := reopen(t, dir, 0); err != nil || len(got) != 0 {
		t.Errorf("%q %v", got, err)
	}
}

// faulty is a file whose next writes or syncs fail.
type faulty struct {
	File
	write, sync *error
}

func (f faulty) WriteAt(p []byte, off int64) (int, error) {
	if *f.write != nil {
		n, _ := f.File.WriteAt(p[:len(p)/2], off)
		return n, *f.write
	}
	return f.File.WriteAt(p, off)
}

func (f faulty) Sync() error { return errors.Join(*f.sync, f.File.Sync()) }

func TestFaults(t *testing.T) {
	dir := t.TempDir()
	var write, sync error
	j, err := OpenWith(dir, salt, func(path string) (File, error) {
		f, err := openFile(path)
		return faulty{f, &write, &sync}, err
	})
	if err != nil || j.Replay(0, nil) != nil {
		t.Fatal(err)
	}
	put(t, j, "one")
	write = syscall.ENOSPC
	big := bytes.Repeat([]byte("x"), 3000)
	if _, err := j.Append(func(b []byte) []byte { return append(b, big...) }); !errors.Is(err, ErrFull) {
		t.Errorf("full: %v", err)
	}
	if _, err := j.Append(func(b []byte) []byte { return append(b, make([]byte, segmentSize)...) }); !errors.Is(err, ErrFull) {
		t.Errorf("full, new segment: %v", err)
	}
	write = nil
	if n := put(t, j, "two"); n != 2 {
		t.Errorf("number %d after a full disk", n)
	}
	sync = syscall.EIO
	if _, err := j.Append(func(b []byte) []byte { return b }); err == nil || errors.Is(err, ErrFull) {
		t.Errorf("failed sync: %v", err)
	}
	if _, got, err := reopen(t, dir, 0); err != nil || len(got) < 2 || got[0] != "one" || got[1] != "two" {
		t.Errorf("%q %v", got, err)
	}
}

// FuzzReplay: whatever a segment holds, replaying it ends, and only with
// records that the checksum vouches for.
func FuzzReplay(f *testing.F) {
	f.Add([]byte{}, 0)
	f.Add(bytes.Repeat([]byte{0x45, 0x47, 0x4a, 0x31, 0, 0, 0, 0}, 200), 3)
	f.Fuzz(func(t *testing.T, noise []byte, at int) {
		dir := t.TempDir()
		j := &Journal{salt: salt, next: 1}
		data := slices.Clone(j.record(func(b []byte) []byte { return append(b, "first"...) }))
		data = slices.Insert(data, min(max(at, 0)*block, len(data)), noise...)
		if err := os.WriteFile(filepath.Join(dir, "journal-000001"), append(data, make([]byte, padding(len(data)))...), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, got, err := reopen(t, dir, 0); err == nil && len(got) > 0 && got[0] != "first" {
			t.Errorf("%q", got)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	j, err := Open(b.TempDir(), salt)
	if err != nil || j.Replay(0, nil) != nil {
		b.Fatal(err)
	}
	payload := make([]byte, 40_000)
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		n, err := j.Append(func(b []byte) []byte { return append(b, payload...) })
		if err == nil {
			err = j.Release(n)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// A segment is whole before its first record: one that has records and is
// shorter has lost some.
func TestCutOff(t *testing.T) {
	dir := t.TempDir()
	j := fresh(t, dir)
	for range 9 {
		put(t, j, strings.Repeat("a", 5000))
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "journal-000001")
	for _, size := range []int64{segmentSize - block, 20000, 600, 380} {
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		if _, got, err := reopen(t, dir, 0); err == nil || !strings.Contains(err.Error(), "its end is missing") {
			t.Errorf("cut at %d: %d records, %v", size, len(got), err)
		}
	}
	if err := os.WriteFile(path, make([]byte, 9000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, got, err := reopen(t, dir, 0); err != nil || len(got) > 0 {
		t.Errorf("a segment that was being made: %d records, %v", len(got), err)
	}
}
