package gateway

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/api/access"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/consult"
	"github.com/event-gateway/gateway/gateway/dispatch"
	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/expr"
	"github.com/event-gateway/gateway/gateway/intake"
	"github.com/event-gateway/gateway/gateway/route"
	"github.com/event-gateway/gateway/gateway/routing"
	"github.com/event-gateway/gateway/gateway/schedule"
	"github.com/event-gateway/gateway/gateway/schedule/cron"
	"github.com/event-gateway/gateway/gateway/timetable"
	"github.com/event-gateway/gateway/gateway/verify"
	"github.com/event-gateway/gateway/gateway/webhook"
	"github.com/event-gateway/gateway/gateway/webhook/gate"
	"github.com/event-gateway/gateway/gateway/webhook/handshake"
)

// snapshot is everything compiled from one revision of the configuration. It
// is never changed after it went live.
type snapshot struct {
	doc       *config.Document
	revision  string
	loadedAt  time.Time
	webhooks  *webhook.Table
	rules     *intake.Rules
	schedules []*schedule.Schedule
	engines   map[string]*engine.Engine
	answered  map[consult.Question]bool // by the engines, with yes
	plan      *dispatch.Plan
	tls       listeners
	tokens    []access.Token
	// inherited: all but webhooks, tls and tokens is that of the snapshot before.
	inherited bool
}

// Compiled is what decides about events under a configuration.
type Compiled struct {
	Webhooks  *webhook.Table
	Routes    *route.Table
	Schedules []*schedule.Schedule
}

// Compile builds of a configuration all that needs no engine, as a reload would.
func Compile(doc *config.Document) (Compiled, config.Problems) {
	snap, problems := (&Gateway{env: expr.New(), hooks: webhook.NewRegistry()}).compile(doc)
	return Compiled{snap.webhooks, snap.rules.Table, snap.schedules}, problems
}

// compile builds all of a snapshot that needs no process. It touches nothing
// that is live.
func (g *Gateway) compile(doc *config.Document) (*snapshot, config.Problems) {
	b := builder{g: g, doc: doc, snap: &snapshot{
		doc: doc, revision: doc.Revision[:12], loadedAt: time.Now(), engines: map[string]*engine.Engine{}, answered: map[consult.Question]bool{},
	}}
	b.compileTLS()
	b.compileTokens()
	b.compileWebhooks()
	b.compileRoutes()
	b.compileSchedules()
	b.problems.Sort()
	return b.snap, b.problems
}

type builder struct {
	g        *Gateway
	doc      *config.Document
	snap     *snapshot
	problems config.Problems
}

// report says what is wrong at a path, at the character where CEL or cron know
// it.
func (b *builder) report(path string, err error) {
	if many, ok := errors.AsType[expr.Errors](err); ok {
		for _, e := range many {
			b.report(path, e)
		}
		return
	}
	b.problems = append(b.problems, b.problem(path, err))
}

func (b *builder) problem(path string, err error) config.Problem {
	if in, ok := errors.AsType[*expr.Error](err); ok {
		return b.doc.ProblemIn(path, in.Line, in.Column, in.Message, "")
	}
	if due, ok := errors.AsType[*cron.Mistake](err); ok {
		return b.doc.ProblemIn(path, 1, due.Column, due.Message, "")
	}
	return b.doc.Problem(path, err.Error(), "")
}

func (b *builder) compileWebhooks() {
	var hooks []*webhook.Webhook
	for _, name := range sortedKeys(b.doc.Config.Webhooks) {
		if hook := b.compileWebhook("webhooks."+name, name, b.doc.Config.Webhooks[name]); hook != nil {
			hooks = append(hooks, hook)
		}
	}
	var err error
	server := &b.doc.Config.Server
	if b.snap.webhooks, err = webhook.NewTable(hooks, webhook.Front{PublicURL: server.PublicURL, Proxies: server.TrustedProxies}); err != nil {
		b.report("webhooks", err)
	}
}

func (b *builder) compileWebhook(path, name string, w config.Webhook) *webhook.Webhook {
	scheme, err := SchemeOf(w)
	if err != nil {
		b.report(path+".scheme", err)
		return nil
	}
	spec := webhook.Spec{
		Name: name, Path: w.Path, SchemeName: w.Scheme, Scheme: scheme,
		RepeatedWithin: time.Duration(w.RepeatedWithin), Headers: w.Headers, MaxBody: int64(w.MaxBody), Allow: w.Allow,
		Rate: gate.Rate{Count: w.Rate.Count, Window: time.Duration(w.Rate.Window), Burst: w.Rate.Burst},
	}
	for _, s := range w.Secrets {
		value := s.Value.Reveal()
		if !s.Value.Known() {
			value = []byte(standIn)
		}
		spec.Secrets = append(spec.Secrets, verify.Secret{Value: value, Until: s.Until})
	}
	spec.Type = b.text(path+".type", w.Type)
	spec.ID = b.text(path+".id", w.ID)
	spec.Challenges, spec.CloudEvents = challenges(w), cloudEvents(w)
	spec.Schema, spec.MarkInvalid = b.schema(path+".schema", w.Schema), w.OnInvalid == "accept"
	hook, err := webhook.Compile(spec, b.g.hooks)
	var asked *handshake.Mistake
	switch {
	case errors.As(err, &asked):
		b.report(path+".challenge."+asked.Field, errors.New(asked.Message))
		return nil
	case err != nil:
		b.report(path, err)
		return nil
	}
	return hook
}

// standIn takes the place of a secret that is not known where a configuration
// is only checked: it is well formed in every encoding.
const standIn = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func (b *builder) text(path string, src config.CEL) *expr.Text {
	if src == "" {
		return nil
	}
	text, err := b.g.env.Text(string(src))
	if err != nil {
		b.report(path, err)
		return nil
	}
	return text
}

// SchemeOf translates how a webhook's requests are signed.
func SchemeOf(w config.Webhook) (verify.Scheme, error) {
	s, ok := verify.Preset(w.Scheme)
	if !ok {
		return s, fmt.Errorf("scheme %q is not supported by this version", w.Scheme)
	}
	if w.Signature != nil {
		s.Proofs = []verify.Proof{proofOf(w.Scheme, w.Signature)}
	}
	return s, nil
}

func proofOf(scheme string, from *config.Signature) verify.Proof {
	if scheme == "token" {
		return verify.Proof{Method: verify.Token, Header: from.Header, Prefix: from.Prefix}
	}
	p := verify.Proof{
		Header: from.Header, Separator: from.Separator, Prefix: from.Prefix,
		Hash: from.Hash, Encoding: from.Encoding, Signed: from.Signed,
		Secret: verify.SecretForm{Prefix: from.Secret.Prefix, Encoding: from.Secret.Encoding},
	}
	if at := from.Timestamp; at != nil {
		p.Timestamp = verify.Timestamp{Header: at.Header, Item: at.Item, Body: at.Body, Unit: at.Unit, Tolerance: time.Duration(from.Tolerance)}
	}
	if from.ID != nil {
		p.ID = from.ID.Header
	}
	if from.Digest != nil {
		p.Digest = from.Digest.Query
	}
	return p
}

func (b *builder) compileRoutes() {
	var specs []route.Spec
	plan := &dispatch.Plan{Engines: map[string]dispatch.Lane{}, Routes: map[string]dispatch.Rule{}}
	most := map[string]int{}
	for name, r := range b.doc.Config.Routes {
		if !r.Enabled {
			continue
		}
		specs = append(specs, routing.Spec(name, r))
		plan.Routes[name] = routing.Rule(r)
		if r.MaxPending > 0 {
			most[name] = r.MaxPending
		}
	}
	table, errs := route.Compile(specs, b.g.env, &b.g.counts)
	for _, e := range errs {
		b.report(strings.Join(append([]string{"routes", e.Route}, e.Field...), "."), e.Cause)
	}
	b.snap.plan = plan
	b.snap.rules = &intake.Rules{Table: table, Revision: b.snap.revision, MaxPending: most}
}

func (b *builder) compileSchedules() {
	for _, name := range sortedKeys(b.doc.Config.Schedules) {
		s := b.doc.Config.Schedules[name]
		path := "schedules." + name
		zone, err := time.LoadLocation(s.Timezone)
		if err != nil || s.Timezone == "Local" {
			b.report(path+".timezone", fmt.Errorf("unknown time zone %q: want an IANA name such as Europe/Berlin", s.Timezone))
			continue
		}
		compiled, err := schedule.Compile(timetable.Spec(name, s, zone))
		if err != nil {
			if _, ok := errors.AsType[*cron.Mistake](err); ok {
				path += ".cron"
			}
			b.report(path, err)
			continue
		}
		b.snap.schedules = append(b.snap.schedules, compiled)
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
