package gateway

import (
	"fmt"
	"path/filepath"

	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/webhook"
	"github.com/event-gateway/gateway/gateway/webhook/handshake"
	"github.com/event-gateway/gateway/gateway/webhook/schema"
)

// challenges are the questions that a webhook answers: those that were
// configured, else those that its scheme brings along.
func challenges(w config.Webhook) []handshake.Spec {
	c := w.Challenge
	if c == nil {
		return handshake.Preset(w.Scheme)
	}
	token := c.Token.Reveal()
	if !c.Token.Known() {
		token = []byte(standIn)
	}
	if c.Provider != "" {
		specs := handshake.Preset(c.Provider)
		for i := range specs {
			specs[i].Token = token
		}
		return specs
	}
	spec := handshake.Spec{
		Method: c.Method, Match: map[string][]any{}, Value: c.Value, TokenAt: c.TokenAt, Token: token,
		Unsigned: c.Unsigned, Status: c.Status, Answer: c.Answer,
	}
	for at, accept := range c.Match {
		spec.Match[at] = accept
	}
	if spec.Answer == nil {
		spec.Answer = ""
		if spec.Value != "" {
			spec.Answer = "{challenge}"
		}
	}
	return []handshake.Spec{spec}
}

// cloudEvents: with the scheme of that name, or wherever they are asked for.
func cloudEvents(w config.Webhook) *webhook.CloudEvents {
	if w.CloudEvents == nil {
		if w.Scheme != "cloudevents" {
			return nil
		}
		return &webhook.CloudEvents{}
	}
	return &webhook.CloudEvents{Origins: w.CloudEvents.Origins, Batch: w.CloudEvents.Batch}
}

// schema compiles the schema of a webhook; nil without one.
func (b *builder) schema(path string, file config.File) *schema.Schema {
	if file.Path == "" {
		return nil
	}
	compiled, err := schema.Compile(file.Text)
	if err != nil {
		b.report(path, fmt.Errorf("%s: %w", filepath.Base(file.Path), err))
		return nil
	}
	return compiled
}
