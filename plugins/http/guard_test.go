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
)

func TestAddresses(t *testing.T) {
	tests := map[bool][]string{
		true: {
			"1.1.1.1", "8.8.8.8", "93.184.215.14", "9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0",
			"126.255.255.255", "128.0.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "169.253.255.255",
			"2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "::ffff:1.1.1.1", "64:ff9b::101:101", "2001:4860:4860::8888",
		},
		false: {
			"0.0.0.0", "0.1.2.3", "10.0.0.0", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254",
			"169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.0", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1",
			"192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255",
			"240.0.0.1", "255.255.255.255", "100.100.100.200", "168.63.129.16",
			"::", "::1", "::127.0.0.1", "::1.1.1.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1",
			"64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:20::1", "2001:db8::1",
			"2002:7f00:1::", "2002:a00:1::", "2002:101:101::", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fd12:3456::1",
			"fe80::1", "fe80::1%lo", "fec0::1", "ff02::1", "4000::1",
		},
	}
	for allowed, addresses := range tests {
		for _, text := range addresses {
			a := netip.MustParseAddr(text)
			if err := newGuard().check(netip.AddrPortFrom(a, 443), false); (err == nil) != allowed {
				t.Errorf("%s: %v", text, err)
			}
			// As a literal in a URL it is known when the file is loaded.
			host := text
			if a.Is6() {
				host = "[" + strings.ReplaceAll(text, "%", "%25") + "]"
			}
			if _, err := destination("https://"+host+"/x", newGuard()); (err == nil) != allowed {
				t.Errorf("https://%s: %v", host, err)
			}
		}
	}
	if newGuard().check(netip.AddrPort{}, true) == nil {
		t.Error("no address at all is one")
	}
}

func TestAllow(t *testing.T) {
	tests := []struct {
		allow, address string
		trusted, want  bool
	}{
		{"10.0.0.0/8", "10.1.2.3:80", false, true},
		{"10.0.0.0/8", "[::ffff:10.1.2.3]:80", false, true},
		{"10.0.0.0/8", "[64:ff9b::a01:203]:80", false, true},
		{"10.0.0.0/8", "11.1.2.3:80", false, true},
		{"10.0.0.0/8", "127.0.0.1:80", false, false},
		{"10.1.2.3", "10.1.2.3:80", false, true},
		{"10.1.2.3", "10.1.2.4:80", false, false},
		{"10.1.2.3:80", "10.1.2.3:80", false, true},
		{"10.1.2.3:80", "10.1.2.3:81", false, false},
		{"[fd00::1]:80", "[fd00::1]:80", false, true},
		{"[fd00::1]:80", "[fd00::1]:81", false, false},
		{"fd00::1", "[fd00::1]:81", false, true},
		{"0.0.0.0/0", "169.254.169.254:80", false, false},
		{"169.254.0.0/16", "169.254.169.254:80", false, false},
		{"169.254.169.254", "169.254.169.254:80", false, true},
		{"169.254.169.254:80", "169.254.169.254:80", false, true},
		{"::/0", "[fd00:ec2::254]:80", false, false},
		{"host", "10.0.0.1:80", true, true},
		{"host", "127.0.0.1:80", true, true},
		{"host", "100.64.0.1:80", true, true},
		{"host", "[fd00::1]:80", true, true},
		{"host", "169.254.0.1:80", true, false},
		{"host", "169.254.169.254:80", true, false},
		{"host", "100.100.100.200:80", true, false},
		{"host", "[fd00:ec2::254]:80", true, false},
		{"host", "[fe80::1]:80", true, false},
		{"host", "0.0.0.0:80", true, false},
		{"host", "224.0.0.1:80", true, false},
	}
	for _, tt := range tests {
		g := newGuard()
		if err := g.allow(tt.allow); err != nil {
			t.Fatal(err)
		}
		if err := g.check(netip.MustParseAddrPort(tt.address), tt.trusted); (err == nil) != tt.want {
			t.Errorf("allow %s: %s (by name %t): %v", tt.allow, tt.address, tt.trusted, err)
		}
	}
	for entry, want := range map[string]string{
		"10.0.0.1/8": "is not how the network is written: 10.0.0.0/8", "::ffff:10.0.0.0/104": "is not how", "": "want a network",
		"http://a": "want a network", "a:b": "want a network", "a:0": "want a network", "a:70000": "want a network", "*.internal": "want a network",
		"127.1": "want a network", "0x7f000001": "want a network", "2130706433": "want a network", "10.0.0.0/33": "want a network",
	} {
		if err := newGuard().allow(entry); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", entry, err, want)
		}
	}
}

func TestNames(t *testing.T) {
	g := newGuard()
	for _, entry := range []string{"billing.internal:8443", "Search.internal"} {
		if err := g.allow(entry); err != nil {
			t.Fatal(err)
		}
	}
	for hostPort, want := range map[string]bool{
		"billing.internal:8443": true, "BILLING.internal.:8443": true, "billing.internal:80": false, "x.billing.internal:8443": false,
		"search.internal:1": true, "search.internal.evil.example:1": false, "other:8443": false, "[::1]:8443": false,
	} {
		if g.trusts(hostPort) != want {
			t.Errorf("%s: %t", hostPort, !want)
		}
	}
}

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
	g := newGuard()
	if allow != "" {
		if err := g.allow(allow); err != nil {
			t.Fatal(err)
		}
	}
	g.resolver = resolver
	e.via = newTransport(g.dial, nil)
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
	for _, host := range []string{"127.1", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.0.0.1.", "１２７.0.0.1", "127。0。0。1", "a..1", "[::1]", "[::ffff:7f00:1]", "localhost:80:80", ""} {
		if _, err := destination("http://"+host+"/", newGuard()); err == nil {
			t.Errorf("%q is taken", host)
		}
	}
	for _, host := range []string{"example.com", "example.com.", "bücher.example", "xn--bcher-kva.example", "a_b.example:8443", "1.2.3.example", "localhost"} {
		if _, err := destination("http://"+host+"/", newGuard()); err != nil {
			t.Errorf("%q: %v", host, err)
		}
	}
}

func FuzzDestination(f *testing.F) {
	for _, seed := range []string{"http://127.0.0.1", "https://[::1]:80/x", "http://a@b", "http://0x7f.1/{input.x}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		to, err := destination(text, newGuard())
		if err != nil {
			return
		}
		u, err := url.Parse(to.origin)
		if err != nil || u.User != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if a, err := netip.ParseAddr(u.Hostname()); err == nil && newGuard().check(netip.AddrPortFrom(a, 80), false) != nil {
			t.Errorf("%q is taken", text)
		}
	})
}
