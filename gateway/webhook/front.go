package webhook

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/event-gateway/gateway/gateway/verify"
	"github.com/event-gateway/gateway/gateway/webhook/gate"
)

// Front is what stands between senders and the gateway.
type Front struct {
	// PublicURL is what senders call, without a path; empty: as the request says.
	PublicURL string
	// Proxies are those whose word for where a request came from is believed.
	Proxies gate.Networks
}

// request is what a proof may be about.
func (t *Table) request(hook *Webhook, r *http.Request, body []byte) verify.Request {
	out := verify.Request{Method: r.Method, Header: r.Header, Body: body}
	if hook.verifier.Scheme().UsesURL() {
		out.URL = t.url(r)
	}
	return out
}

// url is the URL that the sender called. Its path and query are as received;
// what comes before them is configured, or told by the nearest proxy of ours,
// or else what the request itself says.
func (t *Table) url(r *http.Request) string {
	if t.front.PublicURL != "" {
		return strings.TrimRight(t.front.PublicURL, "/") + r.URL.RequestURI()
	}
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if remote, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && t.front.Proxies.Contain(remote.Addr().Unmap()) {
		scheme = forwarded(r, "X-Forwarded-Proto", scheme)
		host = forwarded(r, "X-Forwarded-Host", host)
	}
	return scheme + "://" + host + r.URL.RequestURI()
}

// forwarded is what the nearest proxy added to a header.
func forwarded(r *http.Request, name, otherwise string) string {
	values := r.Header.Values(name)
	if len(values) == 0 {
		return otherwise
	}
	all := values[len(values)-1]
	return strings.TrimSpace(all[strings.LastIndexByte(all, ',')+1:])
}
