// Package gate decides about a sender before anything that it says is read: who
// it is, behind whatever proxies, and whether it has sent too often. The webhook
// stage asks it first, so that whom it keeps out costs next to nothing.
package gate

import (
	"net/http"
	"net/netip"
	"strings"
)

// Networks are addresses, as the configuration lists them.
type Networks []netip.Prefix

// Contain tells whether an address is in one of the networks.
func (n Networks) Contain(addr netip.Addr) bool {
	for _, p := range n {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// Client is the address of the sender of a request, seen from behind trusted
// proxies: the nearest one that is none of them. What lies beyond it in
// X-Forwarded-For (or in Forwarded, RFC 7239) is anybody's claim. It is false
// when a proxy of ours names no address, or when the two headers disagree: one
// of them is then not our proxy's doing.
func (n Networks) Client(remote string, h http.Header) (netip.Addr, bool) {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}, false
	}
	addr := peer.Addr().Unmap()
	if !n.Contain(addr) {
		return addr, true
	}
	common, standard := h["X-Forwarded-For"], h["Forwarded"]
	if len(standard) == 0 {
		return n.nearest(addr, strings.Join(common, ","), lastItem)
	}
	a, ok := n.nearest(addr, strings.Join(standard, ","), lastForwarded)
	if ok && len(common) > 0 {
		var b netip.Addr
		b, ok = n.nearest(addr, strings.Join(common, ","), lastItem)
		ok = ok && a == b
	}
	return a, ok
}

// maxHops is more proxies than anybody has.
const maxHops = 32

// nearest goes from the proxy that is connected towards the sender, as long as
// each hop is one of our own.
func (n Networks) nearest(addr netip.Addr, list string, last func(string) (rest, hop string, ok bool)) (netip.Addr, bool) {
	for hops := 0; n.Contain(addr) && list != ""; hops++ {
		rest, hop, ok := last(list)
		if !ok || hops == maxHops {
			return netip.Addr{}, false
		}
		if addr, ok = parseHop(hop); !ok {
			return netip.Addr{}, false
		}
		list = rest
	}
	return addr, true
}

// lastItem cuts the last item off a list with commas.
func lastItem(list string) (rest, item string, ok bool) {
	i := strings.LastIndexByte(list, ',')
	return list[:max(i, 0)], list[i+1:], true
}

// parseHop reads an address as proxies write it: with a port or without, an
// IPv6 one in brackets or not.
func parseHop(hop string) (netip.Addr, bool) {
	hop = strings.Trim(hop, " \t")
	addr, err := netip.ParseAddr(hop)
	if inner, ok := strings.CutPrefix(hop, "["); err != nil && ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			addr, err = netip.ParseAddr(inner)
		}
	}
	if err != nil {
		var port netip.AddrPort
		port, err = netip.ParseAddrPort(hop)
		addr = port.Addr()
	}
	return addr.Unmap(), err == nil && addr.Zone() == ""
}
