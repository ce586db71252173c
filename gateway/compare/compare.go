// Package compare lays two configurations side by side: what changed, and what of
// it a running gateway can't take over. A reload asks it before and tells
// after.
package compare

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/event-gateway/gateway/gateway/config"
)

// NeedRestart names what a running gateway can't change.
func NeedRestart(old, doc *config.Document) (problems config.Problems) {
	a, b := old.Config, doc.Config
	for _, s := range []struct {
		path         string
		running, now any
	}{
		{"server.listen", a.Server.Listen, b.Server.Listen},
		{"server.admin", a.Server.Admin, b.Server.Admin},
		{"server.tls", onOff(a.Server.TLS), onOff(b.Server.TLS)},
		{"server.admin_tls", onOff(a.Server.AdminTLS), onOff(b.Server.AdminTLS)},
		{"store.path", a.Store.Path, b.Store.Path},
		{"store.retain.succeeded", a.Store.Retain.Succeeded, b.Store.Retain.Succeeded},
		{"store.retain.dead", a.Store.Retain.Dead, b.Store.Retain.Dead},
		{"store.retain.unrouted", a.Store.Retain.Unrouted, b.Store.Retain.Unrouted},
		{"store.min_free", a.Store.MinFree, b.Store.MinFree},
		{"store.max_pending", a.Store.MaxPending, b.Store.MaxPending},
	} {
		if s.running != s.now {
			problems = append(problems, doc.Problem(s.path, fmt.Sprintf("needs a restart (running %q, file %q)", fmt.Sprint(s.running), fmt.Sprint(s.now)), ""))
		}
	}
	return problems
}

// onOff: a listener speaks TLS or it does not; with what, may change.
func onOff(t *config.TLS) string {
	if t == nil {
		return "off"
	}
	return "on"
}

// Differences names what changed from one configuration to the next.
func Differences(a, b *config.Config) (list []string) {
	add := func(section, names string) {
		if names != "" {
			list = append(list, section+":"+names)
		}
	}
	if a.Version != 0 { // there was a server before
		add("server", diff(serverKeys(a.Server), serverKeys(b.Server)))
	}
	add("engines", diff(a.Engines, b.Engines))
	add("webhooks", diff(a.Webhooks, b.Webhooks))
	add("schedules", diff(a.Schedules, b.Schedules))
	add("routes", diff(a.Routes, b.Routes))
	return list
}

// serverKeys are what may change while the gateway runs; TLS has in it what its
// files hold.
func serverKeys(s config.Server) map[string]any {
	return map[string]any{
		"max_body": s.MaxBody, "public_url": s.PublicURL, "trusted_proxies": s.TrustedProxies, "tls": s.TLS, "admin_tls": s.AdminTLS,
		"tokens": s.Tokens,
	}
}

// diff is "+new -gone ~changed".
func diff[T any](a, b map[string]T) string {
	var changes []string
	for name, now := range b {
		before, ok := a[name]
		switch {
		case !ok:
			changes = append(changes, " +"+name)
		case !reflect.DeepEqual(before, now):
			changes = append(changes, " ~"+name)
		}
	}
	for name := range a {
		if _, ok := b[name]; !ok {
			changes = append(changes, " -"+name)
		}
	}
	slices.Sort(changes)
	return strings.Join(changes, "")
}
