// Package remote talks to a running gateway: to its admin address, and to its
// webhooks as a sender would.
package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/api"
)

// Bounds of the client: a reload may start engines and drain others.
const (
	answerTime = 30 * time.Second
	reloadTime = 5 * time.Minute
	maxAnswer  = 256 << 20
)

// Client talks to a running gateway's admin address.
type Client struct {
	// Base is where it is, like http://127.0.0.1:9090.
	Base  string
	http  *http.Client
	token string
}

// ReloadPath is what is posted to for a reload.
const ReloadPath = "/-/reload"

// New is a client for an address like 127.0.0.1:9090 or https://127.0.0.1:9090.
func New(address string, trust Trust) (*Client, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + Reachable(address)
	}
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("admin address %q is not like 127.0.0.1:9090 or http://127.0.0.1:9090", address)
	}
	client, err := trust.HTTP()
	if err != nil {
		return nil, err
	}
	token, err := trust.token()
	if err != nil {
		return nil, err
	}
	return &Client{Base: strings.TrimSuffix(address, "/"), http: client, token: token}, nil
}

// Reachable is an address to call for one to listen at: a listener on every
// address is called on the loopback one.
func Reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// Get asks for a path, and decodes the answer into a value.
func (c *Client) Get(ctx context.Context, path string, query url.Values, into any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	text, err := c.Call(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	return Decode(text, into)
}

// Post sends a value as JSON, or nothing, and decodes the answer into a value.
func (c *Client) Post(ctx context.Context, path string, body, into any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	text, err := c.Call(ctx, http.MethodPost, path, text)
	if err != nil {
		return err
	}
	return Decode(text, into)
}

// Decode reads an answer.
func Decode(text []byte, into any) error {
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("answer: not what a gateway of this version says: %w", err)
	}
	return nil
}

// Call sends JSON, or nothing, and returns the answer of a request that went
// well. What went wrong is the answer's problem.
func (c *Client) Call(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	return c.Do(ctx, Request{Method: method, Path: path, Body: body})
}

// Request is one that says more than a method, a path and JSON.
type Request struct {
	Method, Path string
	Body         []byte
	Header       http.Header
	// Wait is how much longer than usual the answer may take.
	Wait time.Duration
}

// Do sends a request as Call does.
func (c *Client) Do(ctx context.Context, r Request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeFor(r.Path)+r.Wait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.Method, c.Base+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	if r.Header != nil {
		req.Header = r.Header
	}
	if r.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("gateway at %s: answer: %w", c.Base, err)
	}
	if resp.StatusCode >= 300 {
		return nil, Refusal(resp, text)
	}
	return text, nil
}

// do sends a request as who the client is.
func (c *Client) do(req *http.Request) (*http.Response, error) {
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, unreachable(c.Base, err)
	}
	return resp, nil
}

func timeFor(path string) time.Duration {
	if path == ReloadPath {
		return reloadTime
	}
	return answerTime
}

func unreachable(base string, err error) error {
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return fmt.Errorf("gateway not reachable at %s: is it running? start it with: gateway run (or name another address: --admin)", base)
	}
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	return fmt.Errorf("gateway at %s: %w", base, err)
}

// Refusal reads a refusal; one that is no problem+json came from something
// other than a gateway.
func Refusal(resp *http.Response, text []byte) error {
	p := &api.Problem{}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json") || json.Unmarshal(text, p) != nil {
		return fmt.Errorf("%s: answered %s: is that a gateway's admin address?", resp.Request.URL.Host, resp.Status)
	}
	return p
}

// ProblemIn is the refusal in an error; its text alone is for people.
func ProblemIn(err error) (*api.Problem, bool) {
	p := &api.Problem{}
	ok := errors.As(err, &p)
	return p, ok
}
