package fastpath

import (
	"bytes"
	"net/http"
	"strconv"
	"time"
)

// maxKept is how much room for an answer a connection keeps.
const maxKept = 16 << 10

// answer is a http.ResponseWriter. It is written at once when the handler has
// returned. Answers to come, those of 1xx, are left out, as HTTP allows.
type answer struct {
	header http.Header
	status int
	body   []byte
	out    bytes.Buffer

	date []byte // as HTTP writes it
	at   int64  // the second of it
}

func (a *answer) begin() {
	clear(a.header)
	a.status = 0
	a.out.Reset()
	a.body = a.body[:0]
	if cap(a.body) > maxKept {
		a.body, a.out = nil, bytes.Buffer{}
	}
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if !hasBody(a.status) {
		return 0, http.ErrBodyNotAllowed
	}
	a.body = append(a.body, p...)
	return len(p), nil
}

func hasBody(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// finish returns the answer as it is sent, and whether another may follow it on
// this connection.
func (a *answer) finish(more bool) ([]byte, bool) {
	a.WriteHeader(http.StatusOK)
	if a.header.Get("Connection") == "close" {
		more = false
	}
	if !more {
		a.header.Set("Connection", "close")
	}
	if _, typed := a.header["Content-Type"]; !typed && len(a.body) > 0 {
		a.header.Set("Content-Type", http.DetectContentType(a.body))
	}
	out := &a.out
	b := append(out.AvailableBuffer(), "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(a.status), 10)
	b = append(append(append(b, ' '), http.StatusText(a.status)...), "\r\n"...)
	out.Write(b)
	a.header.Del("Content-Length")
	_ = a.header.Write(out) // a buffer takes everything
	b = append(append(out.AvailableBuffer(), "Date: "...), a.now()...)
	if hasBody(a.status) {
		b = strconv.AppendInt(append(b, "\r\nContent-Length: "...), int64(len(a.body)), 10)
	}
	out.Write(append(b, "\r\n\r\n"...))
	out.Write(a.body)
	return out.Bytes(), more
}

// now is the date of the answer; many are written in one second.
func (a *answer) now() []byte {
	if now := time.Now(); a.date == nil || now.Unix() != a.at {
		a.at = now.Unix()
		a.date = now.UTC().AppendFormat(a.date[:0], http.TimeFormat)
	}
	return a.date
}
