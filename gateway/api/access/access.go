// Package access decides who may call the admin listener, and for what: by a
// token, a client's certificate or, on a loopback address, by being there. It
// stands in front of every endpoint of api.
package access

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Right is what a caller may do, or what a request needs.
type Right uint8

// The rights. Operate has the others in it; Read and Send have not: who hands
// in events need not see those of others.
const (
	// Anybody may ask whether the gateway is alive.
	Anybody Right = iota
	// Read is to look at everything.
	Read
	// Send is to hand in events and to wait for what becomes of them.
	Send
	// Operate is to do everything.
	Operate
)

func (r Right) String() string { return [...]string{"anybody", "read", "send", "operate"}[r] }

// ParseRole reads the role of a token: read, send or operate.
func ParseRole(name string) (Right, bool) {
	for _, r := range []Right{Read, Send, Operate} {
		if r.String() == name {
			return r, true
		}
	}
	return Anybody, false
}

// Allows tells whether who has this right may do what needs another.
func (r Right) Allows(need Right) bool { return need == Anybody || r == need || r == Operate }

// Digest is all that is kept of a token.
type Digest [sha256.Size]byte

// DigestOf digests a token. They are long and random, or refused: a plain hash
// is enough to hide them.
func DigestOf(token []byte) Digest { return sha256.Sum256(token) }

// Token lets somebody in.
type Token struct {
	Name   string
	Role   Right
	Digest Digest
}

// find looks for the token that was shown. All are compared, each in constant
// time: the time tells neither which it was nor how much of it was right.
func find(tokens []Token, shown string) (found Token, ok bool) {
	digest := DigestOf([]byte(shown))
	for _, t := range tokens {
		if subtle.ConstantTimeCompare(digest[:], t.Digest[:]) == 1 {
			found, ok = t, true
		}
	}
	return found, ok
}

// Caller is who sent a request.
type Caller struct {
	// Name of the token or the certificate; empty on a loopback address that
	// asks for neither.
	Name string
	// From is the caller's address.
	From string
	// Right is Anybody for who has shown nothing that counts.
	Right Right
	// token: a token proved it, so no browser was tricked into sending it.
	token bool
}

// Who names the caller as far as it is known.
func (c Caller) Who() string {
	if c.Name != "" {
		return c.Name
	}
	return c.From
}

type callerKey struct{}

// Of is who sent the request.
func Of(r *http.Request) Caller {
	return In(r.Context())
}

// In is who asked for what a context is of; nobody where it was no request.
func In(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

func with(r *http.Request, c Caller) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), callerKey{}, c))
}

// identify tells who sent a request. With tokens, a token is what counts;
// without, a certificate that the listener has checked; without either, that
// the listener is reached from this machine alone.
func identify(r *http.Request, tokens []Token) Caller {
	c := Caller{From: r.RemoteAddr}
	if len(tokens) > 0 {
		if t, ok := find(tokens, bearer(r)); ok {
			c.Name, c.Right, c.token = t.Name, t.Role, true
		}
		return c
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		c.Name, c.Right = r.TLS.PeerCertificates[0].Subject.String(), Operate
		return c
	}
	if local(r) {
		c.Right = Operate
	}
	return c
}

// bearer is the token of the one Authorization header, as RFC 6750 has it.
func bearer(r *http.Request) string {
	shown := r.Header.Values("Authorization")
	if len(shown) != 1 {
		return ""
	}
	scheme, token, _ := strings.Cut(shown[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.Trim(token, " ")
}

// local tells whether a request came to a loopback address. The configuration
// refuses any other one without tokens or certificates; this is for a name
// that stands for something else than it did then.
func local(r *http.Request) bool {
	at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return true // no listener, no network
	}
	ap, err := netip.ParseAddrPort(at.String())
	return err == nil && ap.Addr().Unmap().IsLoopback()
}
