package access

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Gate lets requests in. Its fields are set before its first use.
type Gate struct {
	// Tokens that count at this moment; none: see Caller.
	Tokens func() []Token
	// Admin is the address that the listener has, host:port. Requests must
	// name its host, or a loopback one.
	Admin string
	// Refuse answers with a status and what to do about it.
	Refuse func(w http.ResponseWriter, status int, detail string)
}

// Enter tells next who calls, and keeps out what a person's own browser may be
// tricked into sending.
func (g *Gate) Enter(next http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	hosts := newHosts(g.Admin)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := identify(r, g.Tokens())
		switch {
		// Over TLS a name that was rebound is not in the certificate, and no
		// other site knows a token.
		case r.TLS == nil && !caller.token && !hosts.allow(r.Host):
			g.Refuse(w, http.StatusForbidden, fmt.Sprintf("host %q is not the admin listener's; use its address", r.Host))
		case foreign(cross, r):
			g.Refuse(w, http.StatusForbidden, "another web site may neither look nor change anything here")
		default:
			next.ServeHTTP(w, with(r, caller))
		}
	})
}

// foreign tells whether a browser sent the request for another web site. A link
// may lead here from anywhere; nothing else may, not even to look: what is only
// looked at costs as well.
func foreign(cross *http.CrossOriginProtection, r *http.Request) bool {
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	if read && r.Header.Get("Sec-Fetch-Mode") == "navigate" {
		return false
	}
	checked := *r
	checked.Method = http.MethodPost // the check lets reading pass
	return cross.Check(&checked) != nil
}

// Need lets only callers with a right through to next.
func (g *Gate) Need(right Right, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.Let(w, r, right) {
			next.ServeHTTP(w, r)
		}
	})
}

// Let tells whether the caller of a request has a right; if not, it has been
// answered.
func (g *Gate) Let(w http.ResponseWriter, r *http.Request, right Right) bool {
	switch c := Of(r); {
	case c.Right.Allows(right):
		return true
	case c.Right == Anybody:
		w.Header().Set("WWW-Authenticate", `Bearer realm="gateway"`)
		g.Refuse(w, http.StatusUnauthorized, "a token is needed, and one that is known: Authorization: Bearer …")
	default:
		g.Refuse(w, http.StatusForbidden, fmt.Sprintf("token %q has the role %s, and this needs %s", c.Name, c.Right, right))
	}
	return false
}

// Still tells whether the caller of a request that goes on for long would be
// let in now with the same right.
func (g *Gate) Still(r *http.Request, right Right) bool {
	return identify(r, g.Tokens()).Right.Allows(right)
}

// hosts are the names under which the admin listener may be called. A web
// site that points its own name at this address (DNS rebinding) is same-origin
// to a browser and sends that name.
type hosts struct {
	name string
	// anyIP: the listener has every address, so the name may be any address; a
	// rebinding site needs a name that is none.
	anyIP bool
}

func newHosts(admin string) hosts {
	name := hostname(admin)
	ip, err := netip.ParseAddr(name)
	return hosts{name: name, anyIP: name == "" || err == nil && ip.IsUnspecified()}
}

func (h hosts) allow(hostport string) bool {
	name := hostname(hostport)
	if name == "" {
		return false
	}
	if name == "localhost" || name == h.name {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && (ip.IsLoopback() || h.anyIP)
}

// hostname is the host of a host:port, in lower case, without brackets.
func hostname(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	}
	return strings.ToLower(host)
}
