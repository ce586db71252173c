package gateway

import (
	"context"
	"crypto/tls"
	"net"
	"strconv"

	"github.com/event-gateway/gateway/gateway/api"
	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/overlay"
	"github.com/event-gateway/gateway/gateway/routing"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/underway"
)

// status is the gateway at this moment.
func (g *Gateway) status() api.StatusReport {
	snap := g.current.Load()
	r := api.StatusReport{
		Version: g.opts.Version, StartedAt: g.started.UTC(),
		Config: g.configStatus(snap), Listeners: g.listenerStatus(snap), Store: g.storeStatus(), Intake: g.intakeStatus(),
		Engines: engineStatus(snap), Webhooks: webhookStatus(snap), Schedules: g.board().Upcoming(1), Routes: g.routeStatus(snap),
	}
	r.Reasons = g.reasons(r)
	r.Ready = len(r.Reasons) == 0
	return r
}

func (g *Gateway) reasons(r api.StatusReport) (why []string) {
	if !g.ready.Load() {
		why = append(why, "starting or stopping")
	}
	if r.Store.Refusing != "" {
		why = append(why, r.Store.Refusing)
	}
	return why
}

func (g *Gateway) configStatus(snap *snapshot) api.ConfigStatus {
	accepted, refused, last := g.reloads.Status()
	return api.ConfigStatus{
		File: snap.doc.Path, Revision: snap.revision, LoadedAt: snap.loadedAt.UTC(),
		Accepted: accepted, Refused: refused, LastReload: last,
		LastGood: g.lastGood.Load(), Made: len(snap.doc.Overlay), SetAside: overlay.SetAside(snap.doc),
	}
}

func (g *Gateway) listenerStatus(snap *snapshot) []api.ListenerStatus {
	public, admin := g.Addresses()
	return []api.ListenerStatus{listener("public", public, snap.tls.public), listener("admin", admin, snap.tls.admin)}
}

func listener(name string, at net.Addr, c *tls.Config) api.ListenerStatus {
	s := api.ListenerStatus{Name: name, Address: at.String()}
	if c != nil && len(c.Certificates) > 0 {
		s.TLS, s.ClientCertificates = true, c.ClientAuth == tls.RequireAndVerifyClientCert
		s.CertificateExpires = c.Certificates[0].Leaf.NotAfter.UTC()
	}
	return s
}

func (g *Gateway) storeStatus() api.StoreStatus {
	s := g.store.Stats()
	return api.StoreStatus{
		Path: g.store.Path(), Durability: string(g.store.Durability()), SizeBytes: s.Size, FreeBytes: s.Free,
		Pending: s.Open, OldestPending: g.backlog.Oldest(), Refusing: s.Refusing,
		Commits: s.Commits, Entries: s.Entries, Changes: s.Changes, CommitSeconds: s.CommitTime.Seconds(),
	}
}

func (g *Gateway) intakeStatus() api.IntakeStatus {
	c := g.intake.Counts()
	return api.IntakeStatus{
		Accepted: c.Accepted.Load(), Duplicates: c.Duplicates.Load(), Conflicts: c.Conflicts.Load(),
		Unrouted: c.Unrouted.Load(), Refused: c.Refused.Load(),
	}
}

func engineStatus(snap *snapshot) (list []api.EngineStatus) {
	for _, name := range sortedKeys(snap.engines) {
		s := snap.engines[name].Status()
		list = append(list, api.EngineStatus{
			Name: name, Up: s.State == engine.Up, State: string(s.State), PID: s.PID, Path: s.Path, Version: s.Version, SHA256: s.SHA256,
			Pinned: snap.doc.Config.Engines[name].SHA256 != "", Restarts: uint64(s.Restarts), Stuck: s.Stuck, ReturnedFrom: s.Returned,
			InFlight: s.InFlight, Waiting: s.Waiting, Limit: snap.plan.Engines[name].InFlight,
			LastError: s.LastError, StartedAt: s.StartedAt,
		})
	}
	return list
}

func webhookStatus(snap *snapshot) (list []api.WebhookStatus) {
	for _, s := range snap.webhooks.Status() {
		w := api.WebhookStatus{
			Name: s.Name, Path: s.Path, Scheme: s.Scheme, Insecure: s.Insecure,
			Accepted: s.Accepted, Duplicates: s.Duplicates, Handshakes: s.Handshakes, Marked: s.Marked,
			Rejected: s.Rejected, LastAt: s.Last,
		}
		if skew := s.Skew.Seconds(); s.Timed {
			w.ClockSkew = &skew
		}
		for i, key := range snap.doc.Config.Webhooks[s.Name].Secrets {
			w.Secrets = append(w.Secrets, api.SecretStatus{Position: key.Position(), LastAt: s.Secrets[i], Until: key.Until})
			if i == s.LastSecret {
				w.LastSecret = strconv.Itoa(key.Position())
			}
		}
		list = append(list, w)
	}
	return list
}

// routeStatus lists the routes in force, then those that are gone while their
// deliveries wait.
func (g *Gateway) routeStatus(snap *snapshot) (list []api.RouteStatus) {
	waiting := g.backlog.Routes()
	known := map[string]bool{}
	for _, r := range snap.rules.Table.Routes() {
		known[r.Name] = true
		s := api.RouteStatus{
			Name: r.Name, Origin: overlay.Origin(snap.doc, "routes."+r.Name), Events: snap.doc.Config.Routes[r.Name].Events, Engine: r.Engine, Workflow: r.Workflow,
			Matched: r.Count().Matched.Load(), FilterErrors: r.Count().Errors.Load(),
			Pending: waiting[r.Name].Pending, Oldest: waiting[r.Name].Oldest,
		}
		s.Reason = routing.Held(g.dispatch, g.gather, r.Name, snap.doc.Config.Routes[r.Name])
		if e := snap.engines[r.Engine]; s.Pending > 0 && e != nil && e.Status().State != engine.Up {
			s.Reason = "engine " + r.Engine + " is down"
		}
		list = append(list, s)
	}
	for _, name := range sortedKeys(waiting) {
		if b := waiting[name]; !known[name] {
			list = append(list, api.RouteStatus{
				Name: name, Events: []string{}, Engine: b.Engine, Pending: b.Pending, Oldest: b.Oldest, Reason: "route removed",
			})
		}
	}
	return list
}

func (g *Gateway) deliveries() underway.Deliveries {
	return underway.Deliveries{Store: g.store, Dispatch: g.dispatch, Gather: g.gather, Tell: g.tellDelivery}
}

// operator is what a person may do through the API.
type operator struct {
	underway.Deliveries
	g *Gateway
}

func (o operator) Reload(ctx context.Context) (api.ReloadResult, error) {
	return o.g.Reload(ctx, "api")
}

// Submit takes an event by hand; the same source and id again are a duplicate.
func (o operator) Submit(ctx context.Context, e *store.Entry) (store.Receipt, error) {
	entries := []*store.Entry{e}
	receipts, err := o.g.intake.AcceptAll(ctx, entries)
	if err != nil {
		return store.Receipt{}, err
	}
	e.Revision, e.Deliveries = entries[0].Revision, entries[0].Deliveries
	return receipts[0], nil
}
