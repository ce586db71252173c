//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
)

const (
	maxObject = 1 << 20  // of a JSON object on the standard output
	maxText   = 64 << 10 // of any other standard output
	maxLine   = 8 << 10  // of a line on the standard error
)

// head keeps the beginning of what is written to it.
type head struct {
	limit int
	kept  bytes.Buffer
	cut   bool
}

func (h *head) Write(p []byte) (int, error) {
	n := min(len(p), h.limit-h.kept.Len())
	h.kept.Write(p[:n])
	h.cut = h.cut || n < len(p)
	return len(p), nil
}

// output is the JSON object that was written, else the text.
func (h *head) output() any {
	// Who reads the output later need not expect bytes that are no text.
	b := bytes.ToValidUTF8(bytes.TrimSpace(h.kept.Bytes()), []byte("\uFFFD"))
	if !h.cut && len(b) > 0 && b[0] == '{' && json.Valid(b) {
		return json.RawMessage(b)
	}
	text := h.kept.Bytes()
	return map[string]any{"stdout": string(text[:min(len(text), maxText)])}
}

// lines logs each line that is written to it, cut at maxLine.
type lines struct {
	log  *slog.Logger
	line []byte
	last string
}

func (l *lines) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		part, rest, found := bytes.Cut(p, []byte("\n"))
		l.line = append(l.line, part[:min(len(part), maxLine-len(l.line))]...)
		if found {
			l.flush()
		}
		p = rest
	}
	return n, nil
}

// flush logs the line that is there, also without its end.
func (l *lines) flush() {
	if line := bytes.TrimSpace(l.line); len(line) > 0 {
		l.last = string(line)
		l.log.Info(l.last)
	}
	l.line = l.line[:0]
}
