package servertest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// door stands before Temporal. While it is shut Temporal is down.
type door struct {
	t       *testing.T
	address string
	mu      sync.Mutex
	opened  net.Listener
	conns   []net.Conn
	gone    sync.WaitGroup
}

// shut is a door at an address that nobody listens on.
func shutDoor(t *testing.T) *door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{t: t, address: l.Addr().String()}
	_ = l.Close()
	t.Cleanup(d.shut)
	return d
}

func (d *door) open() {
	d.t.Helper()
	l, err := net.Listen("tcp", d.address)
	if err != nil {
		d.t.Fatal(err)
	}
	d.opened = l
	d.gone.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			d.pass(in)
		}
	})
}

func (d *door) pass(in net.Conn) {
	out, err := net.Dial("tcp", the.server.GetFrontendHostPort())
	if err != nil {
		_ = in.Close()
		return
	}
	d.mu.Lock()
	d.conns = append(d.conns, in, out)
	d.mu.Unlock()
	for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
		d.gone.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_, _ = in.Close(), out.Close()
		})
	}
}

// shut breaks all connections.
func (d *door) shut() {
	if d.opened == nil {
		return
	}
	_ = d.opened.Close()
	d.mu.Lock()
	for _, c := range d.conns {
		_ = c.Close()
	}
	d.mu.Unlock()
	d.gone.Wait()
	d.opened = nil
}
