package process

import (
	"bytes"
	"fmt"
	"io"
	"time"
)

// A process may log this many lines in a second; of what is over, one line in
// sampleEvery is kept.
const (
	linesPerSecond = 1000
	sampleEvery    = 100
)

// log passes lines on, at a bounded rate.
type log struct {
	line    func(Line)
	second  time.Time
	count   int
	dropped int
	panics  bool // a Go panic was printed: all that follows belongs to it
}

func newLog(line func(Line)) *log { return &log{line: line} }

// readLog reads all that r gives as log lines.
func readLog(r io.Reader, line func(Line)) {
	log := newLog(line)
	readLines(r, log.add)
	log.flush()
}

func (l *log) add(text []byte, cut bool) {
	if len(bytes.TrimSpace(text)) == 0 || !l.admit(time.Now()) {
		return
	}
	line := parseLine(text)
	if cut {
		line.Message += fmt.Sprintf(" … (cut at %d bytes)", maxLine)
	}
	l.panics = l.panics || bytes.HasPrefix(text, []byte("panic: ")) || bytes.HasPrefix(text, []byte("fatal error: "))
	if l.panics {
		line.Level = Error
	}
	l.line(line)
}

// admit tells whether there is room for one more line in this second.
func (l *log) admit(now time.Time) bool {
	if now.Sub(l.second) >= time.Second {
		l.flush()
		l.second, l.count = now, 0
	}
	l.count++
	if l.count <= linesPerSecond || l.count%sampleEvery == 0 {
		return true
	}
	l.dropped++
	return false
}

// flush says how many lines were dropped, if any.
func (l *log) flush() {
	if l.dropped > 0 {
		l.line(Line{Level: Warn, Message: fmt.Sprintf("%d log lines dropped: over %d a second", l.dropped, linesPerSecond)})
		l.dropped = 0
	}
}

// Log is a writer whose lines are passed on like those on stderr. It is for
// output that reaches the gateway another way; each source needs its own.
type Log struct {
	log  *log
	rest []byte
}

// NewLog makes a writer that calls line.
func NewLog(line func(Line)) *Log { return &Log{log: newLog(line)} }

// Write never fails. It keeps the last, unfinished line for the next call.
func (w *Log) Write(p []byte) (int, error) {
	n := len(p)
	for {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			break
		}
		w.rest = append(w.rest, p[:end]...)
		w.emit()
		p = p[end+1:]
	}
	w.rest = append(w.rest, p...)
	if len(w.rest) >= maxLine {
		w.emit()
	}
	return n, nil
}

func (w *Log) emit() {
	text := w.rest[:min(len(w.rest), maxLine)]
	w.log.add(bytes.TrimRight(text, "\r"), len(w.rest) > maxLine)
	w.rest = w.rest[:0]
}
