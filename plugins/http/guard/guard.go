// Package guard decides which addresses the engine http may dial: it stands
// between a request and its connection, where the address is known for sure.
package guard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Guard lets connections through to the public internet, and to what Allow
// opens. It looks at the address that a connection is about to be made to, so
// no name, spelling or change of DNS gets around it.
type Guard struct {
	// Resolver looks names up; nil is the system's.
	Resolver *net.Resolver

	special, metadata []netip.Prefix
	networks          []netip.Prefix          // opened, at any port
	doors             map[netip.AddrPort]bool // opened, at one
	hosts             map[string]bool         // opened: "name", "name:port"
}

// New is a guard that has opened nothing yet.
func New() *Guard {
	return &Guard{
		special: prefixes(
			// What the IANA IPv4 Special-Purpose Address Registry has beside the
			// internet, and multicast.
			"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
			"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
			"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
			// The same for IPv6, of which only 2000::/3 is public: protocol
			// assignments with Teredo, documentation twice, 6to4.
			"2001::/23", "2001:db8::/32", "3fff::/20", "2002::/16",
		),
		// Where clouds hand credentials to whoever asks from inside.
		metadata: prefixes(
			"169.254.169.254/32", "169.254.170.2/32", "169.254.170.23/32", "fd00:ec2::254/128", "fd00:ec2::23/128",
			"fd20:ce::254/128", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32",
		),
		doors: map[netip.AddrPort]bool{}, hosts: map[string]bool{},
	}
}

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// Allow opens a network, an address or a host, with or without a port.
func (g *Guard) Allow(entry string) error {
	if p, err := netip.ParsePrefix(entry); err == nil {
		if p != p.Masked() || p.Addr().Is4In6() {
			return fmt.Errorf("is not how the network is written: %s", netip.PrefixFrom(p.Addr().Unmap(), min(p.Bits(), p.Addr().Unmap().BitLen())).Masked())
		}
		g.networks = append(g.networks, p)
		return nil
	}
	if a, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil {
		a = plain(a)
		g.networks = append(g.networks, netip.PrefixFrom(a, a.BitLen()))
		return nil
	}
	if at, err := netip.ParseAddrPort(entry); err == nil {
		g.doors[netip.AddrPortFrom(plain(at.Addr()), at.Port())] = true
		return nil
	}
	host, port, withPort := strings.Cut(entry, ":")
	n, err := strconv.Atoi(port)
	if !IsHost(host) || withPort && (err != nil || n < 1 || n > 65535) {
		return errors.New("want a network (10.0.0.0/8), an address or a host, the last two with a port if you like")
	}
	g.hosts[canonical(entry)] = true
	return nil
}

// IsHost is whether a text is a name in DNS, and not an address in one of the
// spellings that some resolvers take: 127.1, 0x7f000001, 2130706433.
func IsHost(s string) bool {
	s = strings.TrimSuffix(s, ".")
	last := s[strings.LastIndex(s, ".")+1:]
	return s != "" && !strings.ContainsFunc(s, notInNames) && strings.Trim(last, "0123456789") != "" && !strings.HasPrefix(strings.ToLower(last), "0x")
}

func notInNames(r rune) bool {
	return r != '.' && r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}

func canonical(host string) string {
	name, port, withPort := strings.Cut(strings.ToLower(host), ":")
	name = strings.TrimSuffix(name, ".")
	if withPort {
		return name + ":" + port
	}
	return name
}

// trusts is whether a host was opened by its name.
func (g *Guard) trusts(hostPort string) bool {
	hostPort = canonical(hostPort)
	host, _, _ := strings.Cut(hostPort, ":")
	return g.hosts[hostPort] || g.hosts[host]
}

// Refused is an address that may not be dialled.
type Refused struct{ Address netip.Addr }

func (r Refused) Error() string {
	return fmt.Sprintf("%s is not an address of the public internet, and not under allow", r.Address)
}

// Check tells whether an address may be dialled, with a Refused if not. A host
// that was opened by its name is trusted to be in a private network; but
// whoever can change its DNS does not get to the rest.
func (g *Guard) Check(at netip.AddrPort, trusted bool) error {
	a := plain(at.Addr())
	switch {
	case g.doors[netip.AddrPortFrom(a, at.Port())]:
		return nil
	case within(g.metadata, a):
		// Not by opening a whole network, but only by its own address.
		if slices.Contains(g.networks, netip.PrefixFrom(a, a.BitLen())) {
			return nil
		}
	case g.public(a), within(g.networks, a):
		return nil
	case trusted && (a.IsPrivate() || a.IsLoopback() || sharedSpace(a)):
		return nil
	}
	return Refused{a}
}

func (g *Guard) public(a netip.Addr) bool {
	if a.Is6() && a.As16()[0]>>5 != 0b001 { // 2000::/3
		return false
	}
	return a.IsValid() && !within(g.special, a)
}

func within(networks []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
}

// sharedSpace is RFC 6598's, where some overlay networks live.
func sharedSpace(a netip.Addr) bool { return netip.MustParsePrefix("100.64.0.0/10").Contains(a) }

// plain is the address that is meant: without a zone, and the IPv4 address
// within one that is mapped (RFC 4291) or reached over NAT64 (RFC 6052).
func plain(a netip.Addr) netip.Addr {
	a = a.WithZone("").Unmap()
	if netip.MustParsePrefix("64:ff9b::/96").Contains(a) {
		b := a.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return a
}

// dialTimeout bounds the connection to one address.
const dialTimeout = 10 * time.Second

// Dial checks each address when its socket is there and not yet connected.
func (g *Guard) Dial(ctx context.Context, network, hostPort string) (net.Conn, error) {
	trusted := g.trusts(hostPort)
	d := net.Dialer{
		Timeout: dialTimeout, Resolver: g.Resolver,
		Control: func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			return g.Check(at, trusted)
		},
	}
	return d.DialContext(ctx, network, hostPort)
}
