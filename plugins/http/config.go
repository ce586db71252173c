package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/idna"

	"github.com/event-gateway/gateway/plugins/http/guard"
	"github.com/event-gateway/gateway/plugins/sdk"
)

// config is the `config:` of gateway.yaml.
type config struct {
	Requests map[string]requestConfig `json:"requests"`
	Allow    []string                 `json:"allow"`
	CA       string                   `json:"ca"`
	Cert     string                   `json:"cert"`
	Key      string                   `json:"key"`
}

type requestConfig struct {
	Description string            `json:"description"`
	Method      string            `json:"method"`
	URL         secret            `json:"url"`
	Headers     map[string]secret `json:"headers"`
	Body        json.RawMessage   `json:"body"`
	Secrets     []secret          `json:"secrets"`
	Timeout     string            `json:"timeout"`
	Success     []any             `json:"success"`
	Keep        []string          `json:"keep"`
	MaxOutput   any               `json:"max_output"`
}

// Configure reports all mistakes at once. It quotes nothing: any value may
// have come from a secret, and the gateway shows the line of the file.
func (e *engine) Configure(_ context.Context, c *sdk.Config) error {
	var cfg config
	if err := c.Decode(&cfg); err != nil {
		return err
	}
	if len(cfg.Requests) == 0 {
		return sdk.Problem{Path: []string{"requests"}, Message: "at least one is needed: there is nothing to call"}
	}
	var problems []error
	g := guard.New()
	for i, entry := range cfg.Allow {
		problems = append(problems, problem(g.Allow(entry), "allow", strconv.Itoa(i)))
	}
	tlsConfig, err := newTLS(&cfg, c.BaseDir)
	problems = append(problems, err)
	e.requests = map[string]*request{}
	for _, name := range sorted(cfg.Requests) {
		q, err := newRequest(name, cfg.Requests[name], g)
		problems = append(problems, err)
		e.requests[name] = q
	}
	e.via = newTransport(g.Dial, tlsConfig)
	return errors.Join(problems...)
}

// problem is nil without an error.
func problem(err error, path ...string) error {
	if err == nil {
		return nil
	}
	return sdk.Problem{Path: path, Message: err.Error()}
}

func newRequest(name string, c requestConfig, g *guard.Guard) (*request, error) {
	q := &request{name: name, description: c.Description}
	var problems []error
	add := func(err error, key ...string) {
		problems = append(problems, problem(err, append([]string{"requests", name}, key...)...))
	}
	var err error
	q.method, err = method(c.Method)
	add(err, "method")
	q.url, err = destination(string(c.URL), g)
	add(err, "url")
	q.body, err = parseBody(c.body(), q.method)
	add(err, "body")
	q.timeout, err = timeout(c.Timeout)
	add(err, "timeout")
	q.maxOutput, err = size(c.MaxOutput)
	add(err, "max_output")
	for i, s := range c.Secrets {
		key, err := signingKey(s)
		add(err, "secrets", strconv.Itoa(i))
		q.keys = append(q.keys, key)
	}
	for i, s := range c.Success {
		status, err := statusOf(s)
		add(err, "success", strconv.Itoa(i))
		q.success = append(q.success, status)
	}
	for i, header := range c.Keep {
		add(keepable(header), "keep", strconv.Itoa(i))
		q.keep = append(q.keep, header)
	}
	for _, header := range sorted(c.Headers) {
		h, err := newHeader(header, string(c.Headers[header]))
		add(err, "headers", header)
		q.headers = append(q.headers, h)
	}
	q.hide = newHide(c)
	return q, errors.Join(problems...)
}

// body has its numbers as they are written.
func (c *requestConfig) body() (value any) {
	_ = decode(c.Body, &value) // it came out of a larger JSON value; without one it is nil
	return value
}

func method(s string) (string, error) {
	if s == "" {
		return "POST", nil
	}
	s = strings.ToUpper(s)
	if !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}, s) {
		return s, errors.New("want GET, HEAD, POST, PUT, PATCH or DELETE")
	}
	return s, nil
}

// destination refuses at once what could only be refused at every run.
func destination(text string, g *guard.Guard) (target, error) {
	if text == "" {
		return target{}, errors.New("is needed")
	}
	t, sample, err := parseTarget(text)
	if err != nil {
		return t, err
	}
	host, err := idna.Lookup.ToASCII(sample.Hostname())
	if err != nil {
		host = sample.Hostname()
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return t, g.Check(netip.AddrPortFrom(a, port(sample)), false)
	}
	if !guard.IsHost(host) {
		return t, errors.New("has no host: this is no name, and no address as it is usually written")
	}
	return t, nil
}

func port(u *url.URL) uint16 {
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	switch {
	case err == nil:
		return uint16(n)
	case u.Scheme == "http":
		return 80
	}
	return 443
}

const defaultTimeout = 30 * time.Second

func timeout(s string) (time.Duration, error) {
	if s == "" {
		return defaultTimeout, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, errors.New("is not a length of time like 10s or 1m")
	}
	return d, nil
}

const (
	defaultOutput = 64 << 10
	maxOutput     = 1 << 20
)

// size is a number of bytes, as 2048, 64KiB or 1MiB.
func size(value any) (int, error) {
	if value == nil {
		return defaultOutput, nil
	}
	text, unit := fmt.Sprint(value), 1
	for suffix, bytes := range map[string]int{"KiB": 1 << 10, "MiB": 1 << 20} {
		if s, found := strings.CutSuffix(text, suffix); found {
			text, unit = s, bytes
		}
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxOutput/unit {
		return 0, errors.New("want a size up to 1MiB, like 64KiB; 0 keeps nothing")
	}
	return n * unit, nil
}

// statuses are those from first to last.
type statuses struct{ first, last int }

// statusOf reads 404 or 2xx. Only an answer that was followed by no other can
// be a success.
func statusOf(value any) (statuses, error) {
	text := fmt.Sprint(value)
	if class, found := strings.CutSuffix(strings.ToLower(text), "xx"); found {
		if n, err := strconv.Atoi(class); err == nil && n >= 2 && n <= 5 {
			return statuses{n * 100, n*100 + 99}, nil
		}
	}
	if n, err := strconv.Atoi(text); err == nil && n >= 200 && n <= 599 {
		return statuses{n, n}, nil
	}
	return statuses{}, errors.New("want a status like 404, or a class like 2xx")
}

// header is one of a request, its value a template.
type header struct {
	name  string
	value template
}

// reserved are the headers that the engine or the connection sets.
func reserved() []string {
	return []string{
		"host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect",
		"proxy-authorization", "proxy-connection", "proxy-authenticate", "accept-encoding",
		"idempotency-key", "webhook-id", "webhook-timestamp", "webhook-signature", "traceparent",
	}
}

func newHeader(name, value string) (header, error) {
	if !httpguts.ValidHeaderFieldName(name) {
		return header{}, errors.New("is no name of a header")
	}
	if slices.Contains(reserved(), strings.ToLower(name)) {
		return header{}, errors.New("is set by the engine")
	}
	if !httpguts.ValidHeaderFieldValue(value) {
		return header{}, errors.New("holds a control character, perhaps a line end")
	}
	t, err := parse(value)
	return header{name: name, value: t}, err
}

// keepable keeps sessions of the service out of the store.
func keepable(name string) error {
	if !httpguts.ValidHeaderFieldName(name) {
		return errors.New("is no name of a header")
	}
	if strings.EqualFold(name, "set-cookie") || strings.EqualFold(name, "set-cookie2") {
		return errors.New("is a credential, which is not kept")
	}
	return nil
}
