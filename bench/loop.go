//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"syscall"
	"time"
)

// loop is one thread of the generator: an epoll instance over its share of the
// connections, each with one request under way at a time. Go's own poller and
// a goroutine for each connection would take twice the CPU, and generator and
// server share the machine.
type loop struct {
	address string
	gate    *gate
	writer  *writer
	// Answers that come between from and until are measured; after until
	// nothing more is sent.
	from, until time.Time

	epoll    int
	conns    map[int32]*conn
	parked   []*conn // answered, and held back by the gate
	underWay int
	took     histogram
}

type conn struct {
	fd   int
	sent time.Time
	// answer is what has come of it so far.
	answer []byte
	buffer [4096]byte
}

func (l *loop) connect(n int) (err error) {
	if l.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	l.conns = make(map[int32]*conn, n)
	for range n {
		fd, err := dial(l.address)
		if err != nil {
			return fmt.Errorf("connect to %s: %w", l.address, err)
		}
		c := &conn{fd: fd}
		c.answer = c.buffer[:0]
		l.conns[int32(fd)] = c
		l.parked = append(l.parked, c)
		event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
		if err := syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_ADD, fd, &event); err != nil {
			return fmt.Errorf("epoll: %w", err)
		}
	}
	return nil
}

func dial(address string) (int, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return 0, err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
		return 0, err
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		return 0, err
	}
	return fd, syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
}

// patience with a server that doesn't answer.
const patience = 20 * time.Second

func (l *loop) run() error {
	defer l.close()
	events := make([]syscall.EpollEvent, len(l.conns))
	for {
		if err := l.unpark(); err != nil {
			return err
		}
		now := time.Now()
		if l.underWay == 0 && (now.After(l.until) || l.gate.over()) {
			return nil
		}
		if now.After(l.until.Add(patience)) {
			return fmt.Errorf("%d requests have no answer", l.underWay)
		}
		n, err := rawEpollWait(l.epoll, events, l.timeout())
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("epoll: %w", err)
		}
		for _, e := range events[:n] {
			if err := l.receive(l.conns[e.Fd]); err != nil {
				return err
			}
		}
	}
}

// timeout in ms: soon when the gate may open meanwhile.
func (l *loop) timeout() int {
	if len(l.parked) > 0 {
		return 1
	}
	return 100
}

// unpark sends what the gate lets through.
func (l *loop) unpark() error {
	for len(l.parked) > 0 && l.gate.open() && !l.gate.over() && time.Now().Before(l.until) {
		last := len(l.parked) - 1
		c := l.parked[last]
		l.parked = l.parked[:last]
		if err := l.send(c); err != nil {
			return err
		}
	}
	return nil
}

func (l *loop) send(c *conn) error {
	if !l.gate.enter() {
		l.parked = append(l.parked, c)
		return nil
	}
	request := l.writer.next()
	l.underWay++
	c.sent = time.Now()
	if n, err := rawWrite(c.fd, request); err != nil || n < len(request) {
		return fmt.Errorf("send: %d of %d bytes: %w", n, len(request), err)
	}
	return nil
}

func (l *loop) receive(c *conn) error {
	n, err := rawRead(c.fd, c.buffer[len(c.answer):])
	if err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	if n <= 0 {
		return errors.New("receive: the server closed the connection")
	}
	c.answer = c.buffer[:len(c.answer)+n]
	whole, accepted := parseAnswer(c.answer)
	if !whole {
		if len(c.answer) == len(c.buffer) {
			return fmt.Errorf("receive: an answer of more than %d bytes", len(c.buffer))
		}
		return nil
	}
	now := time.Now()
	l.underWay--
	if !accepted {
		return fmt.Errorf("refused: %q", c.answer)
	}
	c.answer = c.buffer[:0]
	if now.After(l.from) && now.Before(l.until) {
		l.took.observe(now.Sub(c.sent))
	}
	if now.After(l.until) || !l.gate.open() {
		l.parked = append(l.parked, c)
		return nil
	}
	return l.send(c)
}

// parseAnswer tells whether all of an answer has come, and whether it is a 202.
func parseAnswer(text []byte) (whole, accepted bool) {
	head, body, ok := bytes.Cut(text, []byte("\r\n\r\n"))
	if !ok {
		return false, false
	}
	_, rest, _ := bytes.Cut(head, []byte("\r\nContent-Length: "))
	digits, _, _ := bytes.Cut(rest, []byte("\r\n"))
	length, err := strconv.Atoi(string(digits))
	if err != nil || len(body) < length {
		return false, false
	}
	return true, bytes.HasPrefix(head, []byte("HTTP/1.1 202 "))
}

func (l *loop) close() {
	for _, c := range l.conns {
		_ = syscall.Close(c.fd)
	}
	_ = syscall.Close(l.epoll)
}
