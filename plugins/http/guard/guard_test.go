package guard

import (
	"net/netip"
	"strings"
	"testing"
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
			if err := New().Check(netip.AddrPortFrom(a, 443), false); (err == nil) != allowed {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
	if New().Check(netip.AddrPort{}, true) == nil {
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
		{"fe80::1", "[fe80::1%lo]:80", false, true},
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
		g := New()
		if err := g.Allow(tt.allow); err != nil {
			t.Fatal(err)
		}
		if err := g.Check(netip.MustParseAddrPort(tt.address), tt.trusted); (err == nil) != tt.want {
			t.Errorf("allow %s: %s (by name %t): %v", tt.allow, tt.address, tt.trusted, err)
		}
	}
	for entry, want := range map[string]string{
		"10.0.0.1/8": "is not how the network is written: 10.0.0.0/8", "::ffff:10.0.0.0/104": "is not how", "": "want a network",
		"http://a": "want a network", "a:b": "want a network", "a:0": "want a network", "a:70000": "want a network", "*.internal": "want a network",
		"127.1": "want a network", "0x7f000001": "want a network", "2130706433": "want a network", "10.0.0.0/33": "want a network",
	} {
		if err := New().Allow(entry); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", entry, err, want)
		}
	}
}

func TestNames(t *testing.T) {
	g := New()
	for _, entry := range []string{"billing.internal:8443", "Search.internal"} {
		if err := g.Allow(entry); err != nil {
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
