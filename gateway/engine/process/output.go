package process

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"unicode/utf8"
)

// maxLine is how much of one printed line is kept, in bytes.
const maxLine = 64 << 10

// readLines calls line with each line of r, without its end, until r ends.
// What is over maxLine is read and dropped: a pipe must never fill up.
func readLines(r io.Reader, line func(text []byte, cut bool)) {
	reader := bufio.NewReaderSize(r, maxLine)
	for {
		text, err := reader.ReadSlice('\n')
		cut := errors.Is(err, bufio.ErrBufferFull)
		if len(text) > 0 {
			line(bytes.TrimRight(text, "\r\n"), cut)
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = reader.ReadSlice('\n')
		}
		if err != nil {
			return
		}
	}
}

// maxHandshake is under what go-plugin's scanner takes; a real handshake has a
// certificate of about 1 KiB.
const maxHandshake = 16 << 10

// firstLine keeps the first line of stdout for whoever shakes hands, while the
// rest is read for as long as the process prints, whether anybody shakes hands
// or not.
type firstLine struct {
	came  chan struct{} // closed with the line, or with the end without one
	ended chan struct{} // closed when the process prints no more
	line  []byte        // with its newline; set before came is closed
}

func newFirstLine() *firstLine {
	return &firstLine{came: make(chan struct{}), ended: make(chan struct{})}
}

// drain reads r to its end; lines after the first are log lines.
func (f *firstLine) drain(r io.Reader, line func(Line)) {
	log := newLog(line)
	readLines(r, func(text []byte, cut bool) {
		if f.line != nil {
			log.add(text, cut)
			return
		}
		f.line = append(bytes.Clone(text[:min(len(text), maxHandshake)]), '\n')
		close(f.came)
	})
	if f.line == nil {
		close(f.came)
	}
	log.flush()
	close(f.ended)
}

// reader gives the line, then waits for the end.
func (f *firstLine) reader() io.ReadCloser { return &firstLineReader{from: f} }

func (f *firstLine) text() string {
	select {
	case <-f.came:
		return printable(bytes.TrimRight(f.line, "\n"))
	default:
		return ""
	}
}

type firstLineReader struct {
	from *firstLine
	read int
}

func (r *firstLineReader) Read(p []byte) (int, error) {
	<-r.from.came
	if n := copy(p, r.from.line[r.read:]); n > 0 {
		r.read += n
		return n, nil
	}
	<-r.from.ended
	return 0, io.EOF
}

func (r *firstLineReader) Close() error { return nil }

// printable makes strangers' bytes safe to log: valid UTF-8 and no control
// characters, so that a terminal does not obey them.
func printable(text []byte) string {
	clean := func(r rune) rune {
		switch {
		case r == '\t':
			return r
		case r == '\n':
			return '⏎'
		case r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0):
			return utf8.RuneError
		}
		return r
	}
	return string(bytes.Map(clean, bytes.ToValidUTF8(text, []byte("\uFFFD"))))
}
