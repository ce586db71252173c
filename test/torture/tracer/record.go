//go:build linux && amd64

package tracer

import (
	"bufio"
	"encoding/gob"
	"errors"
	"io"
	"os"
)

// Kind is what an Op does.
type Kind string

// The kinds of Ops.
const (
	Write    Kind = "write"
	Truncate Kind = "truncate"
	Sync     Kind = "sync"
	Create   Kind = "create" // or open
	Remove   Kind = "remove"
	Rename   Kind = "rename"
	Mkdir    Kind = "mkdir"
	Answered Kind = "answer"
	Other    Kind = "other"
)

// Op is one system call, written down twice: when it begins, and when it has
// ended, which two may lie around others.
type Op struct {
	ID   int
	Kind Kind
	// Path of the file, and what it is renamed To.
	Path, To string
	// Off is where a write begins, or the new length.
	Off  int64
	Data []byte
	// Ended: this tells the end, with the Result alone.
	Ended  bool
	Result int64
}

type recorder struct {
	file *os.File
	out  *bufio.Writer
	gob  *gob.Encoder
	last int
	err  error
}

func newRecorder(path string) (*recorder, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	out := bufio.NewWriterSize(f, 1<<20)
	return &recorder{file: f, out: out, gob: gob.NewEncoder(out)}, nil
}

func (r *recorder) begin(c *call) int {
	r.last++
	c.op.ID = r.last
	r.err = errors.Join(r.err, r.gob.Encode(c.op))
	return r.last
}

func (r *recorder) end(c *call, result int64) {
	r.err = errors.Join(r.err, r.gob.Encode(Op{ID: c.id, Kind: c.op.Kind, Ended: true, Result: result}))
}

func (r *recorder) close() error {
	return errors.Join(r.err, r.out.Flush(), r.file.Close())
}

// Read reads what a Tracer wrote down.
func Read(path string) (ops []Op, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for d := gob.NewDecoder(bufio.NewReader(f)); ; {
		var op Op
		if err := d.Decode(&op); errors.Is(err, io.EOF) {
			return ops, nil
		} else if err != nil {
			return nil, err
		}
		ops = append(ops, op)
	}
}
