package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/event-gateway/gateway/cmd/gateway/remote"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/verify"
)

// sendWebhook signs a body as the webhook's sender would, and sends it.
func (a *app) sendWebhook(ctx context.Context, f sendFlags, body []byte) error {
	doc, hook, err := a.webhook(f.webhook)
	if err != nil {
		return err
	}
	r, err := a.signed(f, doc, hook, body)
	if err != nil {
		return err
	}
	url := cmp.Or(f.url, origin(remote.Reachable(doc.Config.Server.Listen), doc.Config.Server.TLS)+hook.Path)
	url += strings.TrimPrefix(r.URL, f.calledAt(doc, hook)) // what signing added
	if f.verbose {
		a.curl(url, r.Header, curlData(f.data, body, r.Body))
	}
	client, err := a.trust(doc.Config.Server.TLS).HTTP()
	if err != nil {
		return err
	}
	resp, text, err := remote.Send(ctx, client, url, r.Header, r.Body)
	if err != nil {
		return err
	}
	return a.showAnswer(resp, text)
}

// calledAt is the URL that a sender would call, which some schemes sign.
func (f *sendFlags) calledAt(doc *config.Document, hook config.Webhook) string {
	server := doc.Config.Server
	return cmp.Or(f.url, strings.TrimRight(cmp.Or(server.PublicURL, origin(remote.Reachable(server.Listen), server.TLS)), "/")+hook.Path)
}

// curlData is the body as curl takes it: the same file where there is one.
func curlData(data string, body, signed []byte) string {
	if strings.HasPrefix(data, "@") && data != "@-" && bytes.Equal(body, signed) {
		return data
	}
	return string(signed)
}

// webhook loads the configuration for one webhook. What is wrong elsewhere, a
// secret of another webhook that is not set here, does not matter.
func (a *app) webhook(name string) (*config.Document, config.Webhook, error) {
	path, _ := a.configPath()
	doc, problems := config.Load(path, config.Options{})
	problems = slices.DeleteFunc(problems, func(p config.Problem) bool {
		return p.Severity != config.Error || p.Path != "" && !within(p.Path, "webhooks."+name)
	})
	if problems.Failed() {
		fmt.Fprint(a.err, screen.Block(problems.Text()))
		return nil, config.Webhook{}, &failure{code: exitFailed}
	}
	hook, ok := doc.Config.Webhooks[name]
	if !ok {
		known := strings.Join(sorted(doc.Config.Webhooks), ", ")
		return nil, hook, usage("webhook %q is not in %s (there are: %s)", name, path, screen.OrDash(known))
	}
	return doc, hook, nil
}

// within tells whether a path of the configuration is an entry or inside it.
func within(path, entry string) bool {
	rest, ok := strings.CutPrefix(path, entry)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// signed makes the request: the headers of the scheme, then those that were
// asked for, which win.
func (a *app) signed(f sendFlags, doc *config.Document, hook config.Webhook, body []byte) (*verify.Request, error) {
	extra, err := readHeaders(f.headers)
	if err != nil {
		return nil, err
	}
	scheme, err := gateway.SchemeOf(hook)
	if err != nil {
		return nil, fmt.Errorf("webhook %s: %w", f.webhook, err)
	}
	secret, err := a.secret(f.key, scheme, hook)
	if err != nil {
		return nil, fmt.Errorf("webhook %s: %w", f.webhook, err)
	}
	r := &verify.Request{Method: http.MethodPost, URL: f.calledAt(doc, hook), Body: body, Header: http.Header{
		"Content-Type": {cmp.Or(extra.Get("Content-Type"), "application/json")}, "User-Agent": {"gateway-send"},
	}}
	if err := verify.Sign(scheme, secret, r, a.Now(), cmp.Or(f.id, uuid.NewString())); err != nil {
		return nil, fmt.Errorf("webhook %s: sign: %w", f.webhook, err)
	}
	if err := f.nameEvent(r.Header, extra, scheme, hook.Scheme); err != nil {
		return nil, err
	}
	maps.Copy(r.Header, extra)
	return r, nil
}

// nameEvent sets the header in which the scheme's requests say what they are.
func (f *sendFlags) nameEvent(header, extra http.Header, scheme verify.Scheme, name string) error {
	in := ""
	if len(scheme.Types) > 0 {
		in = scheme.Types[0].From[0].Header
	}
	switch {
	case in == "" && f.event != "":
		return usage("webhook %s: scheme %s has no header for --event", f.webhook, name)
	case in != "" && f.event == "" && extra.Get(in) == "":
		return usage("webhook %s: say which event it is: --event push", f.webhook)
	case f.event != "":
		header.Set(in, f.event)
	}
	return nil
}

// secret is what to sign with: the key that was given, or the first of the
// webhook's secrets that is valid now, known here and can sign.
func (a *app) secret(key string, scheme verify.Scheme, hook config.Webhook) ([]byte, error) {
	if scheme.None {
		return nil, nil
	}
	if key != "" {
		text, err := a.readData(key)
		return bytes.TrimRight(text, "\r\n"), err
	}
	public := false
	for _, key := range hook.Secrets {
		value := key.Value.Reveal()
		usable := key.Value.Known() && len(value) > 0 && (key.Until.IsZero() || a.Now().Before(key.Until))
		if usable && !scheme.Public(value) {
			return value, nil
		}
		public = public || usable
	}
	if public {
		return nil, errors.New("its secrets are public keys: give the private one with --key @file")
	}
	return nil, errors.New("none of its secrets is known here and valid now")
}
