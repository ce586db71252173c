// Package webhook is the public door: it takes a provider's HTTP request,
// bounds it, verifies it over the exact bytes that were sent, makes an event of
// it and hands that to intake, whose commit it awaits before it answers.
package webhook

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/expr"
	"github.com/event-gateway/gateway/gateway/verify"
	"github.com/event-gateway/gateway/gateway/webhook/gate"
	"github.com/event-gateway/gateway/gateway/webhook/handshake"
	"github.com/event-gateway/gateway/gateway/webhook/schema"
)

// testSuffix is what is added to a webhook's path to ask whether it listens.
const testSuffix = "/test"

// DefaultMaxBody bounds a body when a Spec does not.
const DefaultMaxBody = 1 << 20

// Spec is a webhook as declared.
type Spec struct {
	Name string
	// Path is where it listens; /webhooks/<name> when empty.
	Path string
	// SchemeName is shown; Scheme and Secrets are how requests are verified.
	SchemeName string
	Scheme     verify.Scheme
	Secrets    []verify.Secret
	// Type and ID compute what the scheme would otherwise say; nil: they don't.
	Type, ID *expr.Text
	// RepeatedWithin is how long, and up to twice as long, content without an id of
	// its own is the same event; zero: always.
	RepeatedWithin time.Duration
	// Headers are kept with the event, beside those that the scheme names.
	Headers []string
	// MaxBody in bytes; DefaultMaxBody when 0.
	MaxBody int64
	// Allow lists the addresses that may send; empty: any.
	Allow gate.Networks
	// Rate bounds what each sender sends, and what is accepted from all.
	Rate gate.Rate
	// Challenges are what the provider asks before it sends events.
	Challenges []handshake.Spec
	// CloudEvents: every request is a CloudEvent; nil: none is looked for.
	CloudEvents *CloudEvents
	// Schema is what data must be like; nil: anything. MarkInvalid accepts other
	// data too, and says so in the extension schemaerror.
	Schema      *schema.Schema
	MarkInvalid bool
}

// Webhook is a declared webhook ready to serve.
type Webhook struct {
	spec     Spec
	source   string
	verifier *verify.Verifier
	// keep are the headers to keep: as received, and as the event names them.
	keep     []header
	counters *counters
	secrets  []*moment
	limiter  *gate.Limiter
	// handshakes is nil where nothing is asked.
	handshakes *handshake.Set
}

type header struct{ received, kept string }

// Compile checks a spec and makes it ready. What it counts goes on where a
// webhook of the same name left off, if registry has seen one.
func Compile(spec Spec, registry *Registry) (*Webhook, error) {
	if spec.Path == "" {
		spec.Path = "/webhooks/" + spec.Name
	}
	if spec.MaxBody == 0 {
		spec.MaxBody = DefaultMaxBody
	}
	if err := checkPath(spec.Path); err != nil {
		return nil, err
	}
	verifier, err := verify.New(spec.Scheme, spec.Secrets)
	if err != nil {
		return nil, err
	}
	w := &Webhook{spec: spec, source: "/webhooks/" + spec.Name, verifier: verifier}
	if w.keep, err = keepers(verifier.Scheme(), spec.Headers); err != nil {
		return nil, err
	}
	if w.handshakes, err = handshake.Compile(spec.Challenges, spec.Secrets); err != nil {
		return nil, err
	}
	w.counters, w.secrets = registry.of(spec.Name, spec.Secrets)
	w.limiter = registry.limiter
	w.spec.Secrets, w.spec.Challenges = nil, nil
	return w, nil
}

// checkPath wants a path that no client or proxy would spell differently.
func checkPath(p string) error {
	u, err := url.Parse(p)
	if err != nil || !strings.HasPrefix(p, "/") || p == "/" || path.Clean(p) != p || u.EscapedPath() != p || u.Path != p {
		return fmt.Errorf("path: %q is not a plain absolute path", p)
	}
	return nil
}

// keepers lists the headers that go with the event: the scheme's own, then
// those that were asked for.
func keepers(scheme *verify.Scheme, asked []string) ([]header, error) {
	for _, name := range asked {
		proof := func(p verify.Proof) bool { return strings.EqualFold(p.Header, name) }
		if credential(strings.ToLower(name)) || slices.ContainsFunc(scheme.Proofs, proof) {
			return nil, fmt.Errorf("headers: %q carries a credential and is never kept", name)
		}
	}
	var keep []header
	for _, name := range slices.Concat(scheme.Headers(), asked) {
		h := header{received: canonical(name), kept: strings.ToLower(name)}
		if !slices.Contains(keep, h) {
			keep = append(keep, h)
		}
	}
	return keep, nil
}

// credential knows the names of headers and query keys that carry secrets.
func credential(name string) bool {
	switch name {
	case "authorization", "proxy-authorization", "cookie", "set-cookie", "token", "secret", "password",
		"key", "api_key", "apikey", "x-api-key", "access_token", "signature", "sig":
		return true
	case "i-twilio-idempotency-token":
		return false // an id, whatever its name
	}
	for _, suffix := range []string{"-token", "-secret", "_token", "_secret", "-password", "_password"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// Table finds webhooks by path; it is part of a snapshot and never changes.
type Table struct {
	byPath map[string]*Webhook
	front  Front
}

// NewTable makes a table of webhooks that differ in their paths.
func NewTable(webhooks []*Webhook, front Front) (*Table, error) {
	t := &Table{byPath: make(map[string]*Webhook, len(webhooks)), front: front}
	for _, w := range webhooks {
		if other := t.byPath[w.spec.Path]; other != nil {
			return nil, fmt.Errorf("webhooks %q and %q: both listen at %s", other.spec.Name, w.spec.Name, w.spec.Path)
		}
		t.byPath[w.spec.Path] = w
	}
	for _, w := range webhooks {
		if other := t.byPath[w.spec.Path+testSuffix]; other != nil {
			return nil, fmt.Errorf("webhook %q: listens at %s, where %q is tested", other.spec.Name, other.spec.Path, w.spec.Name)
		}
	}
	return t, nil
}

// find gives the webhook at a path, and whether the path asks for its test.
func (t *Table) find(p string) (w *Webhook, test bool) {
	if w = t.byPath[p]; w != nil {
		return w, false
	}
	if base, ok := strings.CutSuffix(p, testSuffix); ok {
		return t.byPath[base], true
	}
	return nil, false
}
