package main

import (
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
	header, err := a.signed(f, hook, body)
	if err != nil {
		return err
	}
	url := f.url
	if url == "" {
		url = "http://" + remote.Reachable(doc.Config.Server.Listen) + hook.Path
	}
	if f.verbose {
		a.curl(url, header, curlData(f.data, body))
	}
	resp, text, err := remote.Send(ctx, url, header, body)
	if err != nil {
		return err
	}
	return a.showAnswer(resp, text)
}

// curlData is the body as curl takes it: the same file where there is one.
func curlData(data string, body []byte) string {
	if strings.HasPrefix(data, "@") && data != "@-" {
		return data
	}
	return string(body)
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

// signed makes the request's headers: those of the scheme, then what was asked
// for, which wins.
func (a *app) signed(f sendFlags, hook config.Webhook, body []byte) (http.Header, error) {
	extra, err := readHeaders(f.headers)
	if err != nil {
		return nil, err
	}
	scheme, err := gateway.SchemeOf(hook)
	if err != nil {
		return nil, fmt.Errorf("webhook %s: %w", f.webhook, err)
	}
	secret, err := a.secret(hook)
	if err != nil {
		return nil, fmt.Errorf("webhook %s: %w", f.webhook, err)
	}
	if f.id == "" {
		f.id = uuid.NewString()
	}
	header, err := verify.Sign(scheme, secret, body, a.Now(), f.id)
	if err != nil {
		return nil, fmt.Errorf("webhook %s: sign: %w", f.webhook, err)
	}
	if f.event != "" && scheme.Type == "" {
		return nil, usage("webhook %s: scheme %s has no header for --event", f.webhook, hook.Scheme)
	}
	if f.event != "" {
		header.Set(scheme.Type, f.event)
	}
	header.Set("Content-Type", "application/json")
	header.Set("User-Agent", "gateway-send")
	maps.Copy(header, extra)
	if scheme.Type != "" && header.Get(scheme.Type) == "" {
		return nil, usage("webhook %s: say which event it is: --event push", f.webhook)
	}
	return header, nil
}

// secret is the first one that is valid now and known here.
func (a *app) secret(hook config.Webhook) ([]byte, error) {
	if hook.Scheme == "none" {
		return nil, nil
	}
	for _, key := range hook.Secrets {
		if value := key.Value.Reveal(); key.Value.Known() && len(value) > 0 && (key.Until.IsZero() || a.Now().Before(key.Until)) {
			return value, nil
		}
	}
	return nil, errors.New("none of its secrets is known here and valid now")
}
