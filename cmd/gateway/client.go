package main

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
	"os"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/api"
	"github.com/event-gateway/gateway/gateway/config"
)

const defaultAdmin = "127.0.0.1:9090"

// Bounds of the client: a reload may start engines and drain others.
const (
	answerTime = 30 * time.Second
	reloadTime = 5 * time.Minute
	maxAnswer  = 256 << 20
)

// client talks to a running gateway's admin address.
type client struct {
	base string
	http *http.Client
}

func (a *app) client() (*client, error) {
	address, err := a.adminAddress()
	if err != nil {
		return nil, err
	}
	if !strings.Contains(address, "://") {
		address = "http://" + reachable(address)
	}
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, usage("admin address %q is not like 127.0.0.1:9090 or http://127.0.0.1:9090", address)
	}
	// No proxy: the admin address is a machine's own.
	transport := &http.Transport{ResponseHeaderTimeout: reloadTime}
	return &client{base: strings.TrimSuffix(address, "/"), http: &http.Client{Transport: transport}}, nil
}

func (a *app) adminAddress() (string, error) {
	if a.admin != "" {
		return a.admin, nil
	}
	if address := a.getenv("GATEWAY_ADMIN"); address != "" {
		return address, nil
	}
	path, asked := a.configPath()
	if _, err := os.Stat(path); err != nil {
		if asked {
			return "", fmt.Errorf("configuration %s: %w", path, err)
		}
		return defaultAdmin, nil
	}
	// Whatever else is wrong with the file does not matter here.
	doc, _ := config.Load(path, config.Options{NoSecrets: true})
	if doc.Config.Server.Admin == "" {
		return defaultAdmin, nil
	}
	return doc.Config.Server.Admin, nil
}

// reachable is an address to call for one to listen at: a listener on every
// address is called on the loopback one.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// get asks for a path, and decodes the answer into a value.
func (c *client) get(ctx context.Context, path string, query url.Values, into any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	text, err := c.call(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	return decode(text, into)
}

func decode(text []byte, into any) error {
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("answer: not what a gateway of this version says: %w", err)
	}
	return nil
}

// call sends JSON, or nothing, and returns the answer of a request that went
// well. What went wrong is the answer's problem.
func (c *client) call(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeFor(path))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("gateway at %s: answer: %w", c.base, err)
	}
	if resp.StatusCode >= 300 {
		return nil, asProblem(resp, text)
	}
	return text, nil
}

func timeFor(path string) time.Duration {
	if path == reloadPath {
		return reloadTime
	}
	return answerTime
}

func (c *client) unreachable(err error) error {
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return fmt.Errorf("gateway not reachable at %s: is it running? start it with: gateway run (or name another address: --admin)", c.base)
	}
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	return fmt.Errorf("gateway at %s: %w", c.base, err)
}

// asProblem reads a refusal; one that is no problem+json came from something
// other than a gateway.
func asProblem(resp *http.Response, text []byte) error {
	p := &api.Problem{}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json") || json.Unmarshal(text, p) != nil {
		return fmt.Errorf("%s: answered %s: is that a gateway's admin address?", resp.Request.URL.Host, resp.Status)
	}
	return p
}

// problemIn is the refusal in an error; its text alone is for people.
func problemIn(err error) (*api.Problem, bool) {
	p := &api.Problem{}
	ok := errors.As(err, &p)
	return p, ok
}
