//go:build linux && amd64

// Package power takes the power away. It plays the system calls that a gateway
// made, in a model of what a disk is bound to keep, and makes the folders that
// could be found after a loss of power at any of them: what was synced is there,
// of everything else any part, down to single sectors. It stands beside the
// trials that stand on processes.
package power

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/event-gateway/gateway/test/torture/tracer"
)

// sector is what a disk writes whole or not at all.
const sector = 512

// write is what was written to a file, or its new length, and not synced.
type write struct {
	op tracer.Op
	// ended: the call had returned.
	ended bool
}

// file is a file's content, by whatever names.
type file struct {
	synced []byte
	writes []*write
}

// entry is a change of a folder that was not synced: a name gets a file, or
// none, or a folder.
type entry struct {
	id     int
	path   string
	file   *file
	folder bool
	ended  bool
}

// Disk is the model: the calls up to now.
type Disk struct {
	dir string
	// names and folders as programs see them, and as they surely last.
	names, lasting  map[string]*file
	folders, surely map[string]bool
	entries         []*entry
	writes          map[int]*write
	syncs           map[int]func()
	answered        []string // bodies of answers that began to be sent
}

// NewDisk makes a disk on which a folder's parent is.
func NewDisk(dir string) *Disk {
	return &Disk{
		dir: dir, names: map[string]*file{}, lasting: map[string]*file{},
		folders: map[string]bool{}, surely: map[string]bool{},
		writes: map[int]*write{}, syncs: map[int]func(){},
	}
}

// Play does what a call did. It returns true where a loss of power is worth
// looking at: before and after each sync, and after each change of a folder.
func (d *Disk) Play(op tracer.Op) (point bool) {
	if op.Ended {
		return d.end(op)
	}
	switch op.Kind {
	case tracer.Answered:
		d.answered = append(d.answered, string(op.Data))
	case tracer.Write, tracer.Truncate:
		if f := d.names[op.Path]; f != nil {
			w := &write{op: op}
			f.writes = append(f.writes, w)
			d.writes[op.ID] = w
		}
	case tracer.Sync:
		d.begin(op)
		return true
	case tracer.Create:
		if d.names[op.Path] == nil {
			d.change(op.ID, op.Path, &file{}, false)
		}
	case tracer.Remove:
		d.change(op.ID, op.Path, nil, false)
	case tracer.Rename:
		d.change(op.ID, op.To, d.names[op.Path], false)
		d.change(op.ID, op.Path, nil, false)
	case tracer.Mkdir:
		if !d.folders[op.Path] {
			d.change(op.ID, op.Path, nil, true)
		}
	}
	return false
}

// change changes a name for programs, at once. A call that fails is undone by
// end; none of a healthy gateway does.
func (d *Disk) change(id int, path string, f *file, folder bool) {
	d.entries = append(d.entries, &entry{id: id, path: path, file: f, folder: folder})
	switch {
	case folder:
		d.folders[path] = true
	case f == nil:
		delete(d.names, path)
	default:
		d.names[path] = f
	}
}

// begin has a sync take what had been written when it began: what is written
// while it goes on may or may not be in it.
func (d *Disk) begin(op tracer.Op) {
	if f := d.names[op.Path]; f != nil {
		var take []*write
		for _, w := range f.writes {
			if w.ended {
				take = append(take, w)
			}
		}
		d.syncs[op.ID] = func() { f.sync(take) }
		return
	}
	var take []*entry
	for _, e := range d.entries {
		if e.ended && filepath.Dir(e.path) == op.Path {
			take = append(take, e)
		}
	}
	d.syncs[op.ID] = func() { d.sync(take) }
}

func (d *Disk) end(op tracer.Op) (point bool) {
	if w := d.writes[op.ID]; w != nil {
		w.ended = true
		if n := int(op.Result); op.Kind == tracer.Write && n < len(w.op.Data) {
			w.op.Data = w.op.Data[:max(0, n)]
		}
		delete(d.writes, op.ID)
	}
	for _, e := range d.entries {
		if e.id == op.ID {
			e.ended, point = true, true
		}
	}
	if sync := d.syncs[op.ID]; sync != nil {
		if op.Result == 0 {
			sync()
		}
		delete(d.syncs, op.ID)
		return true
	}
	return point
}

// sync makes writes last.
func (f *file) sync(taken []*write) {
	for _, w := range taken {
		if slices.Contains(f.writes, w) {
			f.synced = apply(f.synced, w.op, nil)
		}
	}
	f.writes = slices.DeleteFunc(f.writes, func(w *write) bool { return slices.Contains(taken, w) })
}

// sync makes changes of folders last.
func (d *Disk) sync(taken []*entry) {
	for _, e := range taken {
		if slices.Contains(d.entries, e) {
			settle(d.lasting, d.surely, e)
		}
	}
	d.entries = slices.DeleteFunc(d.entries, func(e *entry) bool { return slices.Contains(taken, e) })
}

func settle(names map[string]*file, folders map[string]bool, e *entry) {
	switch {
	case e.folder:
		folders[e.path] = true
	case e.file == nil:
		delete(names, e.path)
	default:
		names[e.path] = e.file
	}
}

// apply does a write to a file's content: all of it, or of each sector what
// keep says.
func apply(content []byte, op tracer.Op, keep func() bool) []byte {
	if op.Kind == tracer.Truncate {
		if n := int(op.Off); n <= len(content) {
			return content[:n:n]
		}
		return append(content, make([]byte, int(op.Off)-len(content))...)
	}
	for done := 0; done < len(op.Data); {
		at := int(op.Off) + done
		n := min(sector-at%sector, len(op.Data)-done)
		if keep == nil || keep() {
			if end := at + n; end > len(content) {
				content = append(content, make([]byte, end-len(content))...)
			}
			copy(content[at:], op.Data[done:done+n])
		}
		done += n
	}
	return content
}

// Loss says what of that which was not synced is there after all.
type Loss struct {
	// Kept is the share of sectors and names, from 0 to 1.
	Kept float64
	Rand *rand.Rand
}

func (l Loss) keep() bool { return l.Kept >= 1 || l.Kept > 0 && l.Rand.Float64() < l.Kept }

// Image writes a folder as it could be found after a loss of power now.
func (d *Disk) Image(to string, l Loss) error {
	names, folders := d.after(l)
	if !folders[d.dir] {
		return nil // even the folder is gone
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for path, f := range names {
		inside, err := filepath.Rel(d.dir, path)
		if err != nil || strings.Contains(inside, "/") {
			continue
		}
		if err := save(filepath.Join(to, inside), f.after(l)); err != nil {
			return err
		}
	}
	return nil
}

// after is the names and folders; changes of one name come in their order.
func (d *Disk) after(l Loss) (names map[string]*file, folders map[string]bool) {
	names, folders = map[string]*file{}, map[string]bool{}
	for path, f := range d.lasting {
		names[path] = f
	}
	for path := range d.surely {
		folders[path] = true
	}
	lost := map[string]bool{}
	for _, e := range d.entries {
		if lost[e.path] = lost[e.path] || !l.keep(); !lost[e.path] {
			settle(names, folders, e)
		}
	}
	return names, folders
}

func (f *file) after(l Loss) []byte {
	content := slices.Clone(f.synced)
	for _, w := range f.writes {
		if w.op.Kind == tracer.Write || l.keep() {
			content = apply(content, w.op, l.keep)
		}
	}
	return content
}

// save writes a file and leaves out what is only zeros: most of a journal is.
func save(path string, content []byte) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	const chunk = 16 << 10
	zeros := make([]byte, chunk)
	for at := 0; at < len(content); at += chunk {
		part := content[at:min(at+chunk, len(content))]
		if slices.Equal(part, zeros[:len(part)]) {
			continue
		}
		if _, err := f.WriteAt(part, int64(at)); err != nil {
			return err
		}
	}
	return f.Truncate(int64(len(content)))
}
