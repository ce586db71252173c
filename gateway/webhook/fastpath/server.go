// Package fastpath serves requests of the form that nearly all webhooks have,
// and leaves everything else to net/http.
//
// What net/http does for whatever a request may turn out to be (a goroutine that
// watches whether the other side goes away, a context, five deadlines) costs more
// than all that the gateway does with an event. Here a request is served when it
// is plain: a POST of HTTP/1.1 to a path without escapes, whose head has come
// whole, with a Content-Length, with no header twice, and with none that changes
// what HTTP does (see parse). At the first request that is not, the connection
// goes to the http.Server behind, with every byte that was read of it, and stays
// there.
//
// So there is no second opinion on what HTTP means: what is served here is what
// net/http reads the same way, to which FuzzSame holds it.
package fastpath

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// Server is a http.Server with a fast path before it.
//
// Its handler must not keep a request, its URL or its header after it has
// returned; strings of them it may. The context of a request on the fast path
// never ends: nobody watches whether the sender is still there.
type Server struct {
	// rest has the handler, the limits in time and the log of both.
	rest *http.Server

	closing atomic.Bool
	mu      sync.Mutex
	conns   map[*conn]struct{}
	empty   chan struct{} // made by the first Shutdown; closed with the last connection
}

// New puts a fast path before a server, with which it shares the handler and all
// limits in time. The server is then not to be served by itself.
func New(rest *http.Server) *Server {
	return &Server{rest: rest, conns: map[*conn]struct{}{}}
}

// Serve serves what l accepts until Shutdown, or until l fails; then it returns
// what http.Server's Serve does. Connections of TLS go to net/http at once.
func (s *Server) Serve(l net.Listener) error {
	in := &listener{Listener: l, handed: make(chan net.Conn), failed: make(chan error), closed: make(chan struct{})}
	go s.accept(in)
	return s.rest.Serve(in)
}

// Shutdown ends as http.Server's does: nothing new is accepted, idle connections
// are closed, and requests that have begun are answered, or ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	empty := s.close()
	if err := s.rest.Shutdown(ctx); err != nil {
		return err
	}
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close closes what is idle; the channel is closed when nothing is left.
func (s *Server) close() <-chan struct{} {
	s.closing.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.empty == nil {
		s.empty = make(chan struct{})
		if len(s.conns) == 0 {
			close(s.empty)
		}
	}
	for c := range s.conns {
		if c.state.CompareAndSwap(idle, closed) {
			_ = c.conn.Close()
		}
	}
	return s.empty
}

func (s *Server) accept(in *listener) {
	for {
		c, err := in.Listener.Accept()
		if err != nil {
			if !in.fail(err) {
				return
			}
			continue
		}
		if _, secured := c.(*tls.Conn); secured {
			in.give(c)
			continue
		}
		if c := newConn(s, in, c); s.remember(c) {
			go c.serve()
		} else {
			_ = c.conn.Close()
		}
	}
}

// remember is false when the server is closing.
func (s *Server) remember(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.empty != nil && len(s.conns) == 0 {
		close(s.empty)
	}
}

// listener is what the http.Server listens to: it accepts the connections that
// are not for the fast path, and fails as the real listener does, so that it is
// the http.Server that knows which failures pass.
type listener struct {
	net.Listener
	handed chan net.Conn
	failed chan error
	once   sync.Once
	closed chan struct{}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.handed:
		return c, nil
	case err := <-l.failed:
		return nil, err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

func (l *listener) give(c net.Conn) {
	select {
	case l.handed <- c:
	case <-l.closed:
		_ = c.Close()
	}
}

// fail waits until the http.Server has heard of it; false when it has ended.
func (l *listener) fail(err error) bool {
	select {
	case l.failed <- err:
		return true
	case <-l.closed:
		return false
	}
}
