//go:build linux && amd64

package trials

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/event-gateway/gateway/gateway/api"
	"github.com/event-gateway/gateway/gateway/verify"
	"github.com/event-gateway/gateway/test/ledger"
	"github.com/event-gateway/gateway/test/torture/site"
	"github.com/event-gateway/gateway/test/torture/trial"
)

// providers are webhooks by the preset that they have, with their secrets.
func providers() map[string]string {
	const text, standard = site.Secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	return map[string]string{
		"github": text, "bitbucket": text, "shopify": text, "pagerduty": text, "linear": text, "stripe": text, "slack": text,
		"standard-webhooks": standard, "gitlab": standard,
	}
}

const repeatConfig = `
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: {path: ./data}
engines:
  main:
    plugin: ENGINE
    env: {GATEWAY_TEST_PIDS: DIR/out/pids}
    config: {journal: DIR/out/journal, delay: 0}
routes:
  any: {events: ["*"], run: main/note, with: {route: any}}
webhooks:
`

// repeater sends events again and again.
type repeater struct {
	*trial.Bench
	site   *site.Site
	life   *site.Life
	client *http.Client
	acked  map[string]time.Time
	// conflicts are events that had another body under an id; killed counts.
	conflicts, killed int
}

// Repeat sends each event in all the ways in which providers, networks and
// thieves do: it is stored once and run under one key, and another body under
// its id is told to be a conflict.
func Repeat(b *trial.Bench) error {
	yaml := repeatConfig
	for name, secret := range providers() {
		yaml += fmt.Sprintf("  %s: {scheme: %s, secrets: [%q]}\n", name, name, secret)
	}
	s, err := b.Site("repeat", yaml)
	if err != nil {
		return err
	}
	defer s.End()
	r := &repeater{Bench: b, site: s, client: site.NewClient(), acked: map[string]time.Time{}}
	defer r.client.CloseIdleConnections()
	if r.life, err = s.Start(); err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(providers()))
	for n := 0; b.Tried < b.Times; n++ {
		if err := r.event(names[n%len(names)], n); err != nil {
			return err
		}
	}
	return r.audit()
}

// sending is one request of a provider's.
type sending struct {
	scheme verify.Scheme
	hook   string
	secret string
	id     string
	body   []byte
	at     time.Time
	// fresh, when set, is put in the place of the id after signing.
	fresh string
}

// event sends one event in every way.
func (r *repeater) event(name string, n int) error {
	scheme, ok := verify.Preset(name)
	if !ok {
		return fmt.Errorf("no preset %q", name)
	}
	id := fmt.Sprintf("%s-%d", name, n)
	first := sending{scheme: scheme, hook: name, secret: providers()[name], id: id, at: time.Now(), body: bodyWith(id, "first")}
	a, err := r.atOnce(first)
	if err != nil {
		return err
	}
	r.acked[a.EventID] = time.Now()
	ways := map[string]sending{"the same request": first}
	later, other := first, first
	later.at = later.at.Add(time.Second)
	if scheme.Proofs[0].Timestamp.Body == "" { // else it is another body
		ways["signed again, later"] = later
	}
	if header := idHeader(scheme); header != "" && scheme.Proofs[0].ID == "" {
		thief := first
		thief.fresh = fmt.Sprint("fresh-", n)
		ways["a captured request under a fresh id"] = thief
	}
	r.Tries(2 + len(ways))
	for what, s := range ways {
		again, err := r.send(s)
		if err == nil && (again.Code != http.StatusAccepted || !again.Duplicate || again.EventID != a.EventID) {
			r.Problem("%s: %s: answered %+v", id, what, again)
		}
		if err != nil {
			return err
		}
	}
	other.body = bodyWith(id, "other")
	conflict, err := r.send(other)
	if err == nil && conflict.Code != http.StatusConflict {
		r.Problem("%s: another body under its id: answered %+v", id, conflict)
	}
	r.conflicts++
	if err == nil && r.Rand.IntN(40) == 0 {
		err = r.kill()
	}
	return err
}

// atOnce sends the same several times at once: one of them is new.
func (r *repeater) atOnce(s sending) (first site.Answer, err error) {
	var all sync.WaitGroup
	answers, errs := make([]site.Answer, 3), make([]error, 3)
	for i := range answers {
		all.Go(func() { answers[i], errs[i] = r.send(s) })
	}
	all.Wait()
	fresh := 0
	for i, a := range answers {
		if errs[i] != nil {
			return a, errs[i]
		}
		if a.Code != http.StatusAccepted || a.EventID != answers[0].EventID {
			r.Problem("%s: answered %+v and %+v", s.id, answers[0], a)
		}
		if !a.Duplicate {
			fresh++
		}
	}
	if fresh != 1 {
		r.Problem("%s: new to %d of those who sent it at once", s.id, fresh)
	}
	r.Tries(len(answers) - 1) // they are one way
	return answers[0], nil
}

// kill is SIGKILL and a restart: what is known is known afterwards.
func (r *repeater) kill() (err error) {
	r.life.Kill()
	r.killed++
	if r.life, err = r.site.Start(); err == nil {
		r.Recovered(r.life.Took)
	}
	return err
}

func (r *repeater) send(s sending) (a site.Answer, err error) {
	// What is signed last has the id in its headers; a fresh one comes after.
	v := &verify.Request{Method: http.MethodPost, URL: r.life.Public, Header: http.Header{}, Body: bytes.Clone(s.body)}
	v.Header.Set("Content-Type", "application/json")
	header := idHeader(s.scheme)
	if header != "" {
		v.Header.Set(header, s.id)
	}
	if err := verify.Sign(s.scheme, []byte(s.secret), v, s.at, s.id); err != nil {
		return a, err
	}
	if s.fresh != "" {
		v.Header.Set(header, s.fresh)
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, r.life.Public+"/webhooks/"+s.hook, bytes.NewReader(v.Body))
	if err != nil {
		return a, err
	}
	req.Header = v.Header
	resp, err := r.client.Do(req)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return a, err
	}
	a.Code = resp.StatusCode
	return a, json.Unmarshal(text, &a)
}

// idHeader is the header that a scheme has ids in; empty when they are in bodies.
func idHeader(s verify.Scheme) string {
	for _, place := range s.Names.ID {
		if place.Header != "" {
			return place.Header
		}
	}
	return ""
}

// bodyWith has an id wherever a provider may have one. Its time is in the body
// too, for those that sign it there: it stays the same when it is sent again.
func bodyWith(id, text string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"event_id":%q,"event":{"id":%q,"event_type":"t","type":"t"},"type":"t","action":"a","text":%q,"webhookTimestamp":%d}`,
		id, id, id, text, time.Now().UnixMilli())
}

// audit compares what is stored, and what was run, with what was accepted.
func (r *repeater) audit() error {
	if err := r.life.Settle(drain); err != nil {
		r.Problem("%v", err)
	}
	stored, conflicts := map[string]int{}, 0
	err := r.events(func(e *api.Event) {
		if e.Conflict {
			conflicts++
		} else {
			stored[e.ID]++
		}
	})
	if err != nil {
		return err
	}
	for id := range r.acked {
		if stored[id] != 1 {
			r.Problem("event %s is stored %d times", id, stored[id])
		}
	}
	if len(stored) != len(r.acked) || conflicts != r.conflicts {
		r.Problem("%d events and %d conflicts are stored, of %d and %d", len(stored), conflicts, len(r.acked), r.conflicts)
	}
	if err := r.life.Stop(); err != nil {
		r.Problem("%v", err)
	}
	notes, err := ledger.Read(r.site.Journal())
	if err != nil {
		return err
	}
	a := ledger.Count(notes, "any", r.acked)
	r.Acked, r.Lost, r.SameKey, r.OtherKey = a.Acknowledged, a.Lost, a.SameKey, a.OtherKey
	if a.Lost > 0 || a.OtherKey > 0 || a.Twice > 0 || r.killed == 0 && a.SameKey > 0 {
		r.Problem("runs: %s", a)
	}
	r.Extra = fmt.Sprintf("%d events of %d providers, %d conflicts reported, %d SIGKILLs between", len(r.acked), len(providers()), r.conflicts, r.killed)
	return nil
}

// events goes through all events that are stored.
func (r *repeater) events(each func(*api.Event)) error {
	for cursor := ""; ; {
		var page struct {
			Events []api.Event
			Next   string
		}
		if err := r.life.Get("/api/v1/events?"+url.Values{"limit": {"1000"}, "cursor": {cursor}}.Encode(), &page); err != nil {
			return err
		}
		for i := range page.Events {
			each(&page.Events[i])
		}
		if cursor = page.Next; cursor == "" {
			return nil
		}
	}
}
