package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/event-gateway/gateway/plugins/http/guard"
)

// dnsServer is a real one on loopback; answer tells the address that a name
// has at the n-th question about it.
func dnsServer(t *testing.T, answer func(name string, n int) netip.Addr) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		asked := map[string]int{}
		for buf := make([]byte, 1500); ; {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			reply := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, Authoritative: true}, Questions: m.Questions}
			name := fmt.Sprint(q.Name)
			if q.Type == dnsmessage.TypeA || q.Type == dnsmessage.TypeAAAA {
				asked[name+q.Type.String()]++
				a := answer(name, asked[name+q.Type.String()])
				h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
				if a.Is4() && q.Type == dnsmessage.TypeA {
					reply.Answers = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.AResource{A: a.As4()}}}
				}
				if a.Is6() && q.Type == dnsmessage.TypeAAAA {
					reply.Answers = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}}}
				}
			}
			if packed, err := reply.Pack(); err == nil {
				_, _ = conn.WriteTo(packed, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// guarded is an engine whose names are resolved by a server of the test's.
func guarded(t *testing.T, request, allow string, resolver *net.Resolver) *engine {
	t.Helper()
	e := configured(t, `{"requests":{"it":`+request+`}}`, "")
	g := guard.New()
	if allow != "" {
		if err := g.Allow(allow); err != nil {
			t.Fatal(err)
		}
	}
	g.Resolver = resolver
	e.via = newTransport(g.Dial, nil)
	return e
}

// A name is judged by the address that it has when it is dialled.
func TestNamesOfPrivateAddresses(t *testing.T) {
	s := newService(t, nil)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00::1", "64:ff9b::7f00:1", "0.0.0.0", "::"} {
		resolver := dnsServer(t, func(string, int) netip.Addr { return netip.MustParseAddr(address) })
		_, err := guarded(t, `{"url":"http://inside.example.com:`+port+`/"}`, "", resolver).Run(t.Context(), run(""))
		if kind, _ := kindOf(err); kind != "permanent" || !strings.HasSuffix(err.Error(), " is not an address of the public internet, and not under allow") {
			t.Errorf("%s: %s: %v", address, kind, err)
		}
	}
	if s.count() != 0 {
		t.Errorf("%d requests went through", s.count())
	}
	// The same, opened by name, by name and port, and by address.
	loopback := dnsServer(t, func(string, int) netip.Addr { return netip.MustParseAddr("127.0.0.1") })
	for i, allow := range []string{"inside.example.com", "inside.example.com:" + port, "127.0.0.1:" + port, "127.0.0.0/8"} {
		if _, err := guarded(t, `{"url":"http://inside.example.com:`+port+`/"}`, allow, loopback).Run(t.Context(), run("")); err != nil || s.count() != i+1 {
			t.Errorf("allow %s: %v", allow, err)
		}
	}
}

// A name whose address changes between two looks is dialled at neither.
func TestRebinding(t *testing.T) {
	s := newService(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	var bad atomic.Bool
	resolver := dnsServer(t, func(string, int) netip.Addr {
		if bad.Load() {
			return netip.MustParseAddr("127.0.0.2")
		}
		return netip.MustParseAddr("127.0.0.1")
	})
	e := guarded(t, `{"url":"http://shop.example.com:`+port+`/"}`, "127.0.0.1", resolver)
	if _, err := e.Run(t.Context(), run("")); err != nil {
		t.Fatal(err)
	}
	bad.Store(true)
	_, err = e.Run(t.Context(), run(""))
	if kind, _ := kindOf(err); kind != "permanent" || !strings.Contains(err.Error(), ": 127.0.0.2 is not an address of the public internet") || s.count() != 1 {
		t.Errorf("%s: %v, %d requests", kind, err, s.count())
	}
}

// A service cannot send the engine elsewhere.
func TestRedirectToPrivateAddress(t *testing.T) {
	inside := newService(t, nil)
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := newService(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inside.URL+"/secret", status) })
		_, err := one(t, `{"url":"URL"}`, s.URL).Run(t.Context(), run(""))
		if kind, _ := kindOf(err); kind != "permanent" || !strings.HasSuffix(err.Error(), "redirects are not followed, this one to "+inside.URL+"/secret") {
			t.Errorf("%d: %s: %v", status, kind, err)
		}
	}
	if inside.count() != 0 {
		t.Errorf("%d redirects were followed", inside.count())
	}
}

// Addresses in spellings that some resolvers take are refused as hosts.
func TestHostsThatAreNone(t *testing.T) {
	for _, host := range []string{"127.1", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.0.0.1.", "１２７.0.0.1", "127。0。0。1", "a..1", "[::1]", "[::ffff:7f00:1]", "[fe80::1%25lo]", "[64:ff9b::a9fe:a9fe]", "169.254.169.254", "10.0.0.1", "localhost:80:80", ""} {
		if _, err := destination("http://"+host+"/", guard.New()); err == nil {
			t.Errorf("%q is taken", host)
		}
	}
	for _, host := range []string{"example.com", "example.com.", "bücher.example", "xn--bcher-kva.example", "a_b.example:8443", "1.2.3.example", "localhost"} {
		if _, err := destination("http://"+host+"/", guard.New()); err != nil {
			t.Errorf("%q: %v", host, err)
		}
	}
}

func FuzzDestination(f *testing.F) {
	for _, seed := range []string{"http://127.0.0.1", "https://[::1]:80/x", "http://a@b", "http://0x7f.1/{input.x}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		to, err := destination(text, guard.New())
		if err != nil {
			return
		}
		u, err := url.Parse(to.origin)
		if err != nil || u.User != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if a, err := netip.ParseAddr(u.Hostname()); err == nil && guard.New().Check(netip.AddrPortFrom(a, 80), false) != nil {
			t.Errorf("%q is taken", text)
		}
	})
}
