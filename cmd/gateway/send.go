package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/remote"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/api"
)

// sendFlags say what is sent, and as what.
type sendFlags struct {
	// A webhook, signed as its sender would.
	webhook, url, event, key string
	headers                  []string
	// An event by hand.
	typ, source, subject string
	// Either.
	data, id string
	verbose  bool
}

func (a *app) sendCommand() *cobra.Command {
	var f sendFlags
	c := &cobra.Command{
		Use: "send", Short: "Send a correctly signed webhook, or an event by hand", Args: cobra.NoArgs,
		Long: `Send what a webhook's sender would send, signed with the secret that the
configuration names; or, with --type and no --webhook, an event by hand to the
admin address.`,
		Example: `  gateway send --webhook github_push --event push --data @push.json
  gateway send --webhook partner --data '{"kind":"order"}' -v
  gateway send --type payment_received --data '{"amount": 12}'`,
		RunE: func(c *cobra.Command, _ []string) error { return a.send(c.Context(), f) },
	}
	flags := c.Flags()
	f.signing(c)
	flags.StringVar(&f.url, "url", "", "send the webhook to this `URL` instead of the running gateway's")
	flags.StringVar(&f.typ, "type", "", "`type` of an event by hand")
	flags.StringVar(&f.source, "source", "", "`source` of an event by hand (default /api)")
	flags.StringVar(&f.subject, "subject", "", "`subject` of an event by hand")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "show the same request for curl")
	c.MarkFlagsOneRequired("webhook", "type")
	c.MarkFlagsMutuallyExclusive("webhook", "type")
	for _, byHand := range []string{"source", "subject"} {
		c.MarkFlagsMutuallyExclusive("webhook", byHand)
	}
	for _, ofWebhook := range []string{"url", "event", "header", "key"} {
		c.MarkFlagsMutuallyExclusive("type", ofWebhook)
	}
	return c
}

// signing are the flags for what is signed, and how.
func (f *sendFlags) signing(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.webhook, "webhook", "", "`name` of the webhook in the configuration")
	flags.StringVar(&f.event, "event", "", "which `event` it is, where a header says so: X-GitHub-Event, X-Shopify-Topic, …")
	flags.StringVar(&f.key, "key", "", "sign with this `key`, text or @file, not with the configuration's secret; discord and v1a need their private one")
	flags.StringArrayVarP(&f.headers, "header", "H", nil, "add a `header` to the webhook: 'Name: value'")
	flags.StringVarP(&f.data, "data", "d", "", "the body: text, @file, or - for stdin")
	flags.StringVar(&f.id, "id", "", "delivery or event `id` (default a new one); the same again is a duplicate")
}

func (a *app) send(ctx context.Context, f sendFlags) error {
	body, err := a.readData(f.data)
	if err != nil {
		return err
	}
	if f.webhook != "" {
		return a.sendWebhook(ctx, f, body)
	}
	return a.sendEvent(ctx, f, body)
}

// readData is the body as curl reads it: text, @file, or - for stdin.
func (a *app) readData(data string) ([]byte, error) {
	if data == "-" || data == "@-" {
		return io.ReadAll(a.in)
	}
	if file, ok := strings.CutPrefix(data, "@"); ok {
		return os.ReadFile(file)
	}
	return []byte(data), nil
}

func (a *app) sendEvent(ctx context.Context, f sendFlags, data []byte) error {
	if len(data) > 0 && !json.Valid(data) {
		return usage("data: not valid JSON")
	}
	if f.id == "" {
		f.id = uuid.NewString() // ours, so that the curl command repeats this very event
	}
	body, err := json.Marshal(api.Submission{Type: f.typ, Source: f.source, ID: f.id, Subject: f.subject, Data: data})
	if err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	const path = "/api/v1/events"
	if f.verbose {
		a.curl(c.Base+path, http.Header{"Content-Type": {"application/json"}}, string(body))
	}
	text, err := c.Call(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	var answer api.Accepted
	if err := remote.Decode(text, &answer); err != nil {
		return err
	}
	return a.Show(answer, func() { a.printAccepted(answer) })
}

func (a *app) printAccepted(r api.Accepted) {
	routes := fmt.Sprintf("%d routes", r.WorkflowsTriggered)
	if r.WorkflowsTriggered == 1 {
		routes = "1 route"
	}
	text := r.EventType + " " + r.EventID + ", " + routes
	if r.Duplicate {
		text += " (duplicate: it had come before)"
	}
	fmt.Fprintf(a.Out, "%s %s\n", screen.OrDash(r.Status), screen.Line(text))
}

func (a *app) showAnswer(resp *http.Response, text []byte) error {
	var answer api.Accepted
	if resp.StatusCode < 300 && json.Unmarshal(text, &answer) == nil && answer.EventID != "" {
		return a.Show(answer, func() { a.printAccepted(answer) })
	}
	if p, ok := remote.ProblemIn(remote.Refusal(resp, text)); ok {
		return fmt.Errorf("answered %s: %s", resp.Status, p.Detail)
	}
	plain := resp.Status + "\n" + screen.Block(strings.TrimSpace(string(text)))
	if resp.StatusCode >= 300 {
		return fmt.Errorf("answered %s", plain)
	}
	fmt.Fprintln(a.Out, plain)
	return nil
}

// curl shows a request as a command for curl. A signature is in it, a secret
// never.
func (a *app) curl(url string, header http.Header, data string) {
	fmt.Fprintf(a.err, "curl %s", quote(url))
	for _, name := range sorted(header) {
		for _, value := range header[name] {
			fmt.Fprintf(a.err, " \\\n  -H %s", quote(name+": "+value))
		}
	}
	fmt.Fprintf(a.err, " \\\n  --data-binary %s\n", quote(data))
}

// quote makes one word of the shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
