package fastpath

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// maxHead is how large the head of a plain request may be, and how much is read
// at a time.
const maxHead = 4 << 10

// usualHeaders is for how many headers there is room at first.
const usualHeaders = 16

// A connection is idle until the first byte of a request, and busy until its
// answer is written.
const (
	idle = iota
	busy
	closed
)

// conn is a connection and the one request on it, whose parts are used again for
// the next.
type conn struct {
	s      *Server
	from   *listener
	conn   net.Conn
	in     *bufio.Reader
	remote string
	state  atomic.Int32

	read, write deadline
	began       time.Time // the request; the first with its connection

	request http.Request
	url     url.URL
	header  http.Header
	values  []string // of header, one each
	body    body
	answer  answer
}

func newConn(s *Server, from *listener, nc net.Conn) *conn {
	c := &conn{
		s: s, from: from, conn: nc, in: bufio.NewReaderSize(nc, maxHead), remote: nc.RemoteAddr().String(),
		began: time.Now(), read: deadline{set: nc.SetReadDeadline}, write: deadline{set: nc.SetWriteDeadline},
		header: make(http.Header, usualHeaders), values: make([]string, 0, usualHeaders),
	}
	c.answer.header = make(http.Header, 4)
	return c
}

func (c *conn) serve() {
	defer c.s.forget(c)
	defer c.recover()
	// Whoever connects has something to say. Later net/http waits for four bytes,
	// too, and has nothing to say to fewer.
	first, patience := 1, c.s.rest.ReadHeaderTimeout
	for c.wait(first, patience) {
		if first == firstBytes {
			c.skipLines()
		}
		head, err := c.head()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if head == nil || !c.parse(head) {
			c.handOver()
			return
		}
		if !c.exchange() {
			break
		}
		first, patience = firstBytes, c.s.rest.IdleTimeout
	}
	_ = c.conn.Close()
}

// recover does with a panic of the handler what net/http does.
func (c *conn) recover() {
	cause := recover()
	if cause == nil {
		return
	}
	_ = c.conn.Close()
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return
	}
	logger := c.s.rest.ErrorLog
	if logger == nil {
		logger = log.Default()
	}
	logger.Printf("fastpath: panic serving %s: %v\n%s", c.remote, cause, debug.Stack())
}

// wait waits for the first n bytes of a request; false when they do not come.
func (c *conn) wait(n int, patience time.Duration) bool {
	c.state.Store(idle)
	if c.s.closing.Load() { // also when it was busy still when others were closed
		return false
	}
	if c.in.Buffered() < n {
		c.read.allow(time.Now(), patience)
		if _, err := c.in.Peek(n); err != nil {
			return false
		}
	}
	if n == firstBytes {
		c.began = time.Now()
	}
	return c.state.CompareAndSwap(idle, busy)
}

var endOfHead = []byte("\r\n\r\n")

// head returns the head of the request, with the end of its last line, without
// taking it from the reader; nil when it is too large or does not come.
func (c *conn) head() ([]byte, error) {
	for {
		seen, _ := c.in.Peek(c.in.Buffered())
		if end := bytes.Index(seen, endOfHead); end >= 0 {
			return seen[:end+2], nil
		}
		if len(seen) == maxHead {
			return nil, nil
		}
		c.read.allow(c.began, c.s.rest.ReadHeaderTimeout)
		if _, err := c.in.Peek(len(seen) + 1); err != nil {
			return nil, err
		}
	}
}

// firstBytes is how many bytes of a later request are looked at before the rest.
const firstBytes = 4

// skipLines passes over what some senders put behind a body (RFC 9112, 2.2), as
// far as net/http does.
func (c *conn) skipLines() {
	seen, _ := c.in.Peek(firstBytes)
	for len(seen) > 0 && isLineEnd(seen[0]) {
		_, _ = c.in.Discard(1) // it is there
		seen = seen[1:]
	}
}

func isLineEnd(c byte) bool { return c == '\r' || c == '\n' }

// handOver gives the connection to net/http, as if nobody had read from it.
func (c *conn) handOver() {
	_ = c.conn.SetDeadline(time.Time{})
	c.from.give(&begun{Conn: c.conn, in: c.in})
}

// begun is a connection of which some has been read already.
type begun struct {
	net.Conn
	in *bufio.Reader
}

// Read implements net.Conn.
func (b *begun) Read(p []byte) (int, error) {
	if b.in != nil && b.in.Buffered() > 0 {
		return b.in.Read(p)
	}
	b.in = nil
	return b.Conn.Read(p)
}

// exchange has a request answered; false when it was the last.
func (c *conn) exchange() bool {
	c.write.allow(c.began, c.s.rest.WriteTimeout)
	c.answer.begin()
	c.s.rest.Handler.ServeHTTP(&c.answer, &c.request)
	more := c.body.skip() && !c.s.closing.Load()
	text, more := c.answer.finish(more)
	if _, err := c.conn.Write(text); err != nil {
		return false
	}
	if !more {
		c.linger()
	}
	return more
}

// lingerTime is net/http's rstAvoidanceDelay.
const lingerTime = 500 * time.Millisecond

// linger waits until the sender has read the answer: closing a connection on
// which more has come than was read could take it away (RFC 9112, 9.6).
func (c *conn) linger() {
	if c.body.left == 0 || c.body.err != nil {
		return
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(lingerTime))
	_, _ = io.Copy(io.Discard, io.LimitReader(c.in, c.body.left))
}

// body is the body of a request.
type body struct {
	c    *conn
	left int64
	err  error
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	if b.c.in.Buffered() == 0 {
		b.c.read.allow(b.c.began, b.c.s.rest.ReadTimeout)
	}
	n, err := b.c.in.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	b.err = err
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error { return nil }

// skip passes over what the handler has not read, if that has come; false when
// there is more.
func (b *body) skip() bool {
	n, _ := b.c.in.Discard(int(min(b.left, int64(b.c.in.Buffered()))))
	b.left -= int64(n)
	return b.left == 0
}

// slack is how much later than asked for a deadline may be.
const slack = time.Second

// deadline is one of a connection. Setting it costs as much as a small request
// does otherwise, so it is set again only when that makes a difference.
type deadline struct {
	set func(time.Time) error
	at  time.Time
}

// allow ends what is waited for when so much time has passed since then; never
// when that is 0, as in http.Server.
func (d *deadline) allow(since time.Time, patience time.Duration) {
	var at time.Time
	if patience > 0 {
		at = since.Add(patience)
		if late := d.at.Sub(at); late >= 0 && late <= slack {
			return
		}
		at = at.Add(slack)
	} else if d.at.IsZero() {
		return
	}
	d.at = at
	_ = d.set(at) // it fails as the next read or write does
}
