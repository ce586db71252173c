package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/event-gateway/gateway/cmd/gateway/remote"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/config"
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
