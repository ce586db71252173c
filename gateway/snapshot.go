package gateway

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/api/access"
	"github.com/event-gateway/gateway/gateway/api/steer"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/dispatch"
	"github.com/event-gateway/gateway/gateway/dispatch/outcome"
	"github.com/event-gateway/gateway/gateway/dispatch/pace"
	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/expr"
	"github.com/event-gateway/gateway/gateway/intake"
	"github.com/event-gateway/gateway/gateway/route"
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
	answered  map[question]bool // by the engines, see asking
	plan      *dispatch.Plan
	tls       listeners
	tokens    []access.Token
	// inherited: all but webhooks, tls and tokens is that of the snapshot before.
	inherited bool
}

// Validate builds a configuration as a reload would, engines left out, and
// touches nothing. It tells the next n firings of each schedule, too.
func Validate(path string, opts config.Options, n int) (config.Problems, []steer.Schedule) {
	doc, problems := config.Load(path, opts)
	if problems.Failed() {
		return problems, []steer.Schedule{}
	}
	g := &Gateway{env: expr.New(), hooks: webhook.NewRegistry()}
	snap, more := g.compile(doc)
	problems = append(problems, more...)
	problems.Sort()
	return problems, timetable.Rehearse(doc, snap.schedules, n)
}

// compile builds all of a snapshot that needs no process. It touches nothing
// that is live.
func (g *Gateway) compile(doc *config.Document) (*snapshot, config.Problems) {
	b := builder{g: g, doc: doc, snap: &snapshot{
		doc: doc, revision: doc.Revision[:12], loadedAt: time.Now(), engines: map[string]*engine.Engine{}, answered: map[question]bool{},
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
	var many expr.Errors
	if errors.As(err, &many) {
		for _, e := range many {
			b.report(path, e)
		}
		return
	}
	b.problems = append(b.problems, b.problem(path, err))
}

func (b *builder) problem(path string, err error) config.Problem {
	var in *expr.Error
	if errors.As(err, &in) {
		return b.doc.ProblemIn(path, in.Line, in.Column, in.Message, "")
	}
	var due *cron.Mistake
	if errors.As(err, &due) {
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
		Headers: w.Headers, MaxBody: int64(w.MaxBody), Allow: w.Allow,
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
		specs = append(specs, routeSpec(name, r))
		plan.Routes[name] = ruleOf(r)
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

func routeSpec(name string, r config.Route) route.Spec {
	match := make(map[string][]any, len(r.Match))
	for path, values := range r.Match {
		match[path] = values
	}
	return route.Spec{
		Name: name, Events: r.Events, Match: match, When: string(r.When), Key: string(r.Key), With: r.With,
		Engine: r.Run.Engine, Workflow: r.Run.Workflow,
	}
}

func ruleOf(r config.Route) dispatch.Rule {
	return dispatch.Rule{
		Engine: r.Run.Engine, Workflow: r.Run.Workflow,
		Retry: outcome.Retry{
			Attempts: r.Retry.Attempts, Min: time.Duration(r.Retry.Backoff.Min), Max: time.Duration(r.Retry.Backoff.Max),
			Jitter: float64(r.Retry.Jitter) / 100, GiveUpAfter: time.Duration(r.Retry.GiveUpAfter),
		},
		Timeout: time.Duration(r.Timeout), Concurrency: r.Concurrency, Strict: r.Order == "strict", Priority: r.Priority,
		Rate: pace.Rate{Count: r.Rate.Count, Window: time.Duration(r.Rate.Window)},
	}
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
			var due *cron.Mistake
			if errors.As(err, &due) {
				path += ".cron"
			}
			b.report(path, err)
			continue
		}
		b.snap.schedules = append(b.snap.schedules, compiled)
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
