package rehearse

import (
	"cmp"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/event-gateway/gateway/cmd/gateway/sender"
	"github.com/event-gateway/gateway/gateway"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/config/decode"
	"github.com/event-gateway/gateway/gateway/rehearse"
	"github.com/event-gateway/gateway/gateway/rehearse/stage"
	"github.com/event-gateway/gateway/gateway/verify"
)

// setting is a configuration and what it sees around it.
type setting struct {
	path string
	// env is all there is of an environment; secrets replace a webhook's.
	env     func(string) (string, bool)
	secrets map[string][]string
	// now decides which secrets have expired.
	now time.Time
}

// build compiles the configuration to play on. Secrets that are not known are
// made up: whoever signs here knows them.
func (s setting) build(coverage *rehearse.Coverage) (*stage.Stage, *config.Document, error) {
	doc, problems := config.Load(s.path, config.Options{NoSecrets: true, Env: s.env, Now: func() time.Time { return s.now }})
	if problems.Failed() {
		return nil, doc, broken{problems}
	}
	for name := range s.secrets {
		if _, ok := doc.Config.Webhooks[name]; !ok {
			return nil, doc, fmt.Errorf("secrets.%s: no webhook has this name", name)
		}
	}
	for name, hook := range doc.Config.Webhooks {
		doc.Config.Webhooks[name] = s.disarmed(name, hook)
	}
	all, problems := gateway.Compile(doc)
	if problems.Failed() {
		return nil, doc, broken{problems}
	}
	t := theatre{doc}
	return &stage.Stage{Webhooks: all.Webhooks, Routes: all.Routes, Schedules: all.Schedules, Sign: t.sign, Coverage: coverage}, doc, nil
}

// standIn takes the place of a secret that is not known: well formed in every
// encoding. Where the configuration has a public key it is the private one.
const standIn = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// madeUp is what stands in a configuration for a secret that is not known.
func madeUp(hook config.Webhook) config.Secret {
	if scheme, err := gateway.SchemeOf(hook); err == nil && scheme.Public([]byte(standIn)) {
		return secret(standInPublic())
	}
	return secret(standIn)
}

func standInPublic() string {
	seed, _ := hex.DecodeString(standIn) // a constant
	return hex.EncodeToString(ed25519.NewKeyFromSeed(seed)[ed25519.SeedSize:])
}

// private is the key to sign with where only its public half is configured; nil
// where a secret of the webhook will do.
func private(hook config.Webhook) []byte {
	if slices.ContainsFunc(hook.Secrets, func(k config.Key) bool { return string(k.Value.Reveal()) == standInPublic() }) {
		return []byte(standIn)
	}
	return nil
}

// disarmed is a webhook with secrets for cases, and without a rate: cases come
// all at once.
func (s setting) disarmed(name string, hook config.Webhook) config.Webhook {
	hook.Rate = config.Throttle{}
	if values, ok := s.secrets[name]; ok {
		hook.Secrets = replaced(hook.Secrets, values)
		return hook
	}
	keys := make([]config.Key, len(hook.Secrets))
	for i, key := range hook.Secrets {
		if keys[i] = key; !key.Value.Known() {
			keys[i].Value = madeUp(hook)
		}
	}
	hook.Secrets = keys
	return hook
}

// replaced are the secrets of cases, each with the end that the configuration
// gives the one in its place.
func replaced(keys []config.Key, values []string) []config.Key {
	stand := make([]config.Key, len(values))
	for _, key := range keys {
		if i := key.Position(); i < len(stand) {
			stand[i] = key
		}
	}
	for i, v := range values {
		stand[i].Value = secret(v)
	}
	return stand
}

func secret(text string) (s config.Secret) {
	s.Receive(decode.Text{Value: text, Origin: decode.Reference})
	return s
}

// theatre signs for the webhooks of a document.
type theatre struct{ doc *config.Document }

// origin is what stands for the gateway in URLs that no file says.
const origin = "http://localhost"

func (t theatre) sign(q stage.Unsigned) (*stage.Signed, error) {
	name, err := t.webhook(q)
	if err != nil {
		return nil, err
	}
	hook := t.doc.Config.Webhooks[name]
	base := strings.TrimRight(cmp.Or(t.doc.Config.Server.PublicURL, origin), "/")
	target := base + cmp.Or(q.Target, hook.Path)
	var signed *verify.Request
	if q.Recorded {
		signed, err = resign(q, hook, target)
	} else {
		signed, err = sign(q, hook, target)
	}
	if err != nil {
		return nil, fmt.Errorf("webhook %s: %w", name, err)
	}
	out := &stage.Signed{Target: strings.TrimPrefix(signed.URL, base), Host: "localhost", Header: signed.Header, Body: signed.Body}
	if u, err := url.Parse(base); err == nil {
		out.Host = u.Host
	}
	return out, nil
}

// sign makes a request of the parts that a case has.
func sign(q stage.Unsigned, hook config.Webhook, target string) (*verify.Request, error) {
	request := sender.Request{URL: target, Event: q.Event, ID: q.ID, Unnamed: "test", Header: q.Header, Body: q.Body, Key: private(hook)}
	signed, err := request.Sign(hook, q.At)
	var mistake sender.Mistake
	if errors.As(err, &mistake) { // in the words of a flag
		return nil, errors.New(strings.NewReplacer("--event push", "event: push", "--event", "event", "--id", "id").Replace(err.Error()))
	}
	return signed, err
}

// resign signs a request that was recorded: its signature is replaced, all else
// stays.
func resign(q stage.Unsigned, hook config.Webhook, target string) (*verify.Request, error) {
	scheme, err := gateway.SchemeOf(hook)
	if err != nil {
		return nil, err
	}
	r := &verify.Request{Method: http.MethodPost, URL: target, Header: q.Header.Clone(), Body: q.Body}
	if scheme.None {
		return r, nil
	}
	key := private(hook)
	if key == nil {
		if key, err = sender.Secret(scheme, hook, q.At); err != nil {
			return nil, err
		}
	}
	id := q.ID
	for _, place := range scheme.ID {
		id = cmp.Or(id, r.Header.Get(place.Header))
	}
	for _, proof := range scheme.Proofs {
		id = cmp.Or(id, r.Header.Get(proof.ID))
	}
	return r, verify.Sign(scheme, key, r, q.At, id)
}

// webhook is the one that was named, or that listens where a request goes.
func (t theatre) webhook(q stage.Unsigned) (string, error) {
	path, _, _ := strings.Cut(q.Target, "?")
	names := make([]string, 0, len(t.doc.Config.Webhooks))
	for name, hook := range t.doc.Config.Webhooks {
		if name == q.Webhook || q.Webhook == "" && hook.Path == path {
			return name, nil
		}
		names = append(names, name)
	}
	if q.Webhook == "" {
		return "", fmt.Errorf("no webhook listens at %s, so nobody signs for it", path)
	}
	hint := ""
	if near := decode.Nearest(q.Webhook, names); near != "" {
		hint = " (" + decode.DidYouMean(near) + ")"
	}
	return "", fmt.Errorf("no webhook is named %q%s", q.Webhook, hint)
}
