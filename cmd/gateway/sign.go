package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/cmd/gateway/remote"
	"github.com/event-gateway/gateway/cmd/gateway/sender"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/verify"
)

func (a *app) signCommand() *cobra.Command {
	var f sendFlags
	c := &cobra.Command{
		Use: "sign", Short: "Print the headers that a webhook's sender would send", Args: cobra.NoArgs,
		Long: `Print the headers that a webhook's sender would send with a body, signed with
the secret that the configuration names. Where a scheme signs more than headers
can carry, what else to send is told on stderr: the URL that twilio calls with a
body that is no form, the body of linear, which has the time in it.`,
		Example: `  gateway sign --webhook partner --data @order.json > headers
  curl -H @headers --data-binary @order.json https://hooks.example.com/webhooks/partner`,
		RunE: func(*cobra.Command, []string) error { return a.sign(f) },
	}
	f.signing(c)
	c.Flags().StringVar(&f.url, "url", "", "the `URL` that will be called, which some schemes sign (default: of the configuration)")
	_ = c.MarkFlagRequired("webhook") // fails for flags that are not there
	return c
}

// signature is a request that was signed, as it is printed.
type signature struct {
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

func (a *app) sign(f sendFlags) error {
	body, err := a.readData(f.data)
	if err != nil {
		return err
	}
	doc, hook, err := a.webhook(f.webhook)
	if err != nil {
		return err
	}
	r, err := a.signed(f, doc, hook, body)
	if err != nil {
		return err
	}
	r.Header.Del("User-Agent")
	out := signature{URL: r.URL, Headers: map[string]string{}, Body: string(r.Body)}
	for name, values := range r.Header {
		out.Headers[name] = strings.Join(values, ", ")
	}
	return a.Show(out, func() {
		for _, name := range sorted(out.Headers) {
			fmt.Fprintf(a.Out, "%s: %s\n", name, out.Headers[name])
		}
		if out.URL != f.calledAt(doc, hook) {
			fmt.Fprintf(a.err, "the URL to call: %s\n", out.URL)
		}
		if !bytes.Equal(r.Body, body) {
			fmt.Fprintf(a.err, "the body to send: %s\n", out.Body)
		}
	})
}

// calledAt is the URL that a sender would call, which some schemes sign.
func (f *sendFlags) calledAt(doc *config.Document, hook config.Webhook) string {
	server := doc.Config.Server
	return cmp.Or(f.url, strings.TrimRight(cmp.Or(server.PublicURL, origin(remote.Reachable(server.Listen), server.TLS)), "/")+hook.Path)
}

// signed makes the request that the flags describe.
func (a *app) signed(f sendFlags, doc *config.Document, hook config.Webhook, body []byte) (r *verify.Request, err error) {
	q := sender.Request{URL: f.calledAt(doc, hook), Event: f.event, ID: f.id, Body: body}
	if q.Header, err = sender.Headers(f.headers); err == nil && f.key != "" {
		q.Key, err = a.readData(f.key)
		q.Key = bytes.TrimRight(q.Key, "\r\n")
	}
	if err == nil {
		r, err = q.Sign(hook, a.Now())
	}
	var mistake sender.Mistake
	switch {
	case errors.As(err, &mistake):
		return nil, usage("webhook %s: %w", f.webhook, err)
	case err != nil:
		return nil, fmt.Errorf("webhook %s: %w", f.webhook, err)
	}
	return r, nil
}
