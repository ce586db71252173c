package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// everySender is a webhook for each library of the vendors.
const everySender = `
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0", public_url: https://hooks.example.com}
store: {path: ./data}
webhooks:
  github: {scheme: github, secrets: ["${env:E2E_SECRET}"]}
  bitbucket: {scheme: bitbucket, secrets: ["${env:E2E_SECRET}"]}
  stripe: {scheme: stripe, secrets: ["${env:E2E_SECRET}"]}
  slack: {scheme: slack, secrets: ["${env:E2E_SECRET}"]}
  shopify: {scheme: shopify, secrets: ["${env:E2E_SECRET}"]}
  linear: {scheme: linear, secrets: ["${env:E2E_SECRET}"]}
  twilio: {scheme: twilio, secrets: ["${env:E2E_SECRET}"]}
  cloudevents: {scheme: cloudevents, secrets: ["${env:E2E_SECRET}"]}
  standard: {scheme: standard-webhooks, secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}
  gitlab: {scheme: gitlab, secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}
  discord: {scheme: discord, secrets: ["d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"]}
`

const (
	standardSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	discordPublic  = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a" // RFC 8032, test 1
	discordPrivate = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
)

// posted is what a script says about one request.
type posted struct {
	Event, Webhook, Variant string
	Code                    int
	EventID                 string `json:"event_id"`
	EventType               string `json:"event_type"`
	Kind                    string // the type that is expected
	Duplicate               bool
	Valid                   bool // a library took what gateway sign made
}

// TestVendors: what the vendors' own libraries sign is accepted, and they accept
// what the gateway signs; with one character changed, neither.
func TestVendors(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("node"); err != nil && os.Getenv("CI") == "" {
		t.Log("node is not installed: not tested here, but in CI")
		return
	}
	dir := nodeProject(t)
	t.Run("GitHub", func(t *testing.T) { testGitHub(t, dir) })
	t.Run("all", func(t *testing.T) { testLibraries(t, dir) })
}

func testLibraries(t *testing.T, dir string) {
	s := newSite(t, everySender)
	l := s.start()
	input, err := json.Marshal(map[string]any{
		"base": l.public, "publicURL": "https://hooks.example.com", "secret": secret, "whsec": standardSecret,
		"discordKey": discordPublic, "signed": signedByGateway(t, s),
	})
	if err != nil {
		t.Fatal(err)
	}
	script := exec.CommandContext(t.Context(), "node", "vendors.mjs")
	script.Dir, script.Stdin = dir, bytes.NewReader(input)
	count := map[string]int{}
	for _, p := range runScript(t, script) {
		count[p.Variant]++
		var good bool
		switch p.Variant {
		case "right":
			good = p.Code == 202 && p.EventType == p.Kind && !p.Duplicate
		case "tampered":
			good = p.Code == 401
		case "made by gateway sign":
			good = p.Valid
		case "made by gateway sign, tampered":
			good = !p.Valid
		}
		if !good {
			t.Errorf("%+v", p)
		}
	}
	if count["right"] != 11 || count["tampered"] != 11 || count["made by gateway sign"] != 12 || count["made by gateway sign, tampered"] != 11 {
		t.Errorf("not all was tried: %v", count)
	}
	l.stop(t)
}

// signedByGateway is what gateway sign makes for each webhook.
func signedByGateway(t *testing.T, s *site) (all []map[string]any) {
	t.Helper()
	const body = `{"type":"order.made","action":"create","text":"ä€"}`
	for _, args := range [][]string{
		{"github", body, "--event", "push"}, {"bitbucket", body, "--event", "repo:push"}, {"stripe", body}, {"slack", body},
		{"shopify", body, "--event", "orders/create"}, {"linear", body}, {"standard", body}, {"gitlab", body},
		{"discord", body, "--key", discordPrivate}, {"cloudevents", body, "--event", "order.made"},
		{"twilio", body}, {"twilio", "b=1&a=x%20y", "-H", "Content-Type: application/x-www-form-urlencoded"},
	} {
		sign := exec.CommandContext(t.Context(), built.gateway, append([]string{
			"sign", "--config", s.config, "-o", "json", "--webhook", args[0], "--data", args[1],
		}, args[2:]...)...)
		sign.Env = append(os.Environ(), "E2E_SECRET="+secret)
		out, err := sign.Output()
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		one := map[string]any{"webhook": args[0]}
		if err := json.Unmarshal(out, &one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

// nodeProject is a copy of ../node with its dependencies, as they are pinned.
func nodeProject(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "node"))); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	return dir
}

func runScript(t *testing.T, script *exec.Cmd) (list []posted) {
	t.Helper()
	var stderr bytes.Buffer
	script.Stderr = &stderr
	out, err := script.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", script.Args, err, stderr.String())
	}
	for line := range bytes.Lines(out) {
		var p posted
		if err := json.Unmarshal(line, &p); err != nil {
			t.Fatalf("%v: %v: %q", script.Args, err, line)
		}
		list = append(list, p)
	}
	return list
}
