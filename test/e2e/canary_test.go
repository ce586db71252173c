package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// canaries are the places where a secret can be, each with one of its own.
func canaries() map[string]string {
	all := map[string]string{}
	for _, place := range []string{
		"BY_ENV", "BY_FILE", "LITERAL", "FALLBACK", "EXPIRED", "TOKEN", "SHARED", "HEX", "PLUG_ENV", "PLUG_LITERAL", "PLUG_CONFIG", "CALL_HEADER", "CALL_QUERY", "CALL_BODY", "HOST", "SENT", "INCLUDED", "INCLUDED_ENV",
	} {
		all[place] = "canary-" + strings.ToLower(strings.ReplaceAll(place, "_", "-")) + "-6e4f1c0a97"
	}
	all["STANDARD"] = "whsec_" + base64.StdEncoding.EncodeToString([]byte("canary-standard-6e4f1c0a97"))
	all["CALL_SIGN"] = "whsec_" + base64.StdEncoding.EncodeToString([]byte("canary-call-sign-6e4f1c0a97"))
	all["HEX"] = hex.EncodeToString([]byte(all["HEX"]))
	return all
}

const caged = `
version: 1
include: ["more.d/*.yaml"]
server:
  listen: 127.0.0.1:0
  admin: 127.0.0.1:0
  trusted_proxies: [127.0.0.1]
store: {path: ./data}
engines:
  main:
    plugin: ENGINE
    env: {GATEWAY_TEST_PIDS: DIR/out/pids}
    config: {journal: DIR/out/journal}
  other:
    plugin: EXEC
    env: {PATH: "/usr/bin:/bin", API_TOKEN: "${env:CANARY_PLUG_ENV}", PASSPHRASE: C:PLUG_LITERAL}
    config: {commands: {quiet: {command: [sh, -c, 'exit 65', '${env:CANARY_PLUG_CONFIG}']}}}
  caller:
    plugin: CALLER
    config:
      allow: [127.0.0.1]
      requests:
        echo:
          url: "ECHO/?token=${env:CANARY_CALL_QUERY}"
          headers: {Authorization: "Bearer ${env:CANARY_CALL_HEADER}"}
          body: {api_key: "${env:CANARY_CALL_BODY}", event: "{event.id}"}
          secrets: ["${env:CANARY_CALL_SIGN}"]
        wrong:
          url: "ECHO/wrong?token=${env:CANARY_CALL_QUERY}"
          headers: {X-Api-Key: "${env:CANARY_CALL_HEADER}"}
webhooks:
  env: {scheme: github, secrets: ["${env:CANARY_BY_ENV}", {value: "${env:CANARY_EXPIRED}", until: 2020-01-01T00:00:00Z}]}
  file: {scheme: github, secrets: ["${file:by-file}"], max_body: 1KiB, rate: 5/h}
  literal: {scheme: github, secrets: [C:LITERAL]}
  fallback: {scheme: github, secrets: ["${env:NOT_SET:-C:FALLBACK}"]}
  hex: {scheme: hmac, secrets: ["${env:CANARY_HEX}"], signature: {header: X-Sig, secret: {encoding: hex}}}
  standard: {scheme: standard-webhooks, secrets: ["${env:CANARY_STANDARD}"]}
  token: {scheme: token, secrets: ["${env:CANARY_TOKEN}"]}
  gitlab: {scheme: gitlab, secrets: ["${env:CANARY_SHARED}"]}
routes:
  all: {events: ["*"], run: main/note}
  more: {events: ["*"], run: other/quiet, retry: {attempts: 1}}
  call: {events: ["*"], run: caller/echo}
  wrong: {events: ["*"], run: caller/wrong}
`

const cagedMore = `
webhooks:
  more: {scheme: github, secrets: [C:INCLUDED, "${env:CANARY_INCLUDED_ENV}"]}
`

// A secret is used and never shown: whatever is sent, asked or broken, no log,
// metric, status, answer, file of the store, or environment of an engine that it
// is not meant for holds one.
func TestCanaries(t *testing.T) {
	t.Parallel()
	c := newCage(t)
	c.life = c.site.start("--log-level", "debug")
	c.search("the environment of engines", c.environments())
	c.traffic()
	c.life.settle(t, 30*time.Second)
	c.look()
	for name, change := range brokenSecrets() {
		c.breakIt(name, change)
	}
	c.site.write(c.whole)
	c.changeSecrets()
	c.look()
	c.life.stop(t)
	c.search("the log", c.log.Bytes())
	c.searchStore()
	if c.accepted < 20 || c.refused < 10 || c.log.Len() < 5000 {
		t.Errorf("%d requests were accepted, %d refused, %d bytes logged: too little was tested", c.accepted, c.refused, c.log.Len())
	}
}

// cage is a gateway with all canaries in it.
type cage struct {
	t        *testing.T
	site     *site
	life     *life
	whole    string
	canaries map[string]string
	log      locked
	searched int
	accepted int
	refused  int
}

func newCage(t *testing.T) *cage {
	t.Helper()
	c := &cage{t: t, canaries: canaries()}
	c.whole = strings.ReplaceAll(c.fill(caged), "ECHO", parrot(t))
	c.site = newSite(t, c.whole)
	c.site.log = &c.log
	for place, canary := range c.canaries {
		c.site.env = append(c.site.env, "CANARY_"+place+"="+canary)
	}
	c.include(cagedMore)
	c.site.replace(c.site.path("by-file"), []byte(c.canaries["BY_FILE"]+"\n"), 0o600)
	return c
}

// include writes the included file.
func (c *cage) include(text string) {
	c.t.Helper()
	if err := os.MkdirAll(c.site.path("more.d"), 0o700); err != nil {
		c.t.Fatal(err)
	}
	c.site.replace(c.site.path("more.d/more.yaml"), []byte(c.fill(text)), 0o600)
}

// parrot is a service that repeats all that it hears.
func parrot(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.URL.Path == "/wrong" {
			w.WriteHeader(http.StatusBadRequest)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"heard": r.Header, "uri": r.RequestURI, "body": string(body)})
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// fill puts literal canaries into a configuration.
func (c *cage) fill(text string) string {
	for place, canary := range c.canaries {
		text = strings.ReplaceAll(text, "C:"+place, canary)
	}
	return text
}

// search looks for every canary, as it is and as somebody might encode it.
func (c *cage) search(where string, in []byte, but ...string) {
	c.t.Helper()
	c.searched += len(in)
	for place, canary := range c.canaries {
		if slices.Contains(but, place) {
			continue
		}
		plain := strings.TrimPrefix(canary, "whsec_")
		forms := []string{
			plain, hex.EncodeToString([]byte(plain)), base64.RawStdEncoding.EncodeToString([]byte(plain)),
			base64.RawURLEncoding.EncodeToString([]byte(plain)), "canary-standard-6e4f1c0a97",
		}
		if raw, err := hex.DecodeString(plain); err == nil {
			forms = append(forms, string(raw))
		}
		for _, form := range forms {
			if i := bytes.Index(in, []byte(form)); i >= 0 {
				c.t.Errorf("%s holds the canary %s: …%q…", where, place, in[max(0, i-80):min(len(in), i+80)])
				return
			}
		}
	}
}

// environments is what the engines' processes got, without what each is meant
// to have.
func (c *cage) environments() (all []byte) {
	r := c.life.status(c.t)
	for _, e := range r.Engines {
		for _, file := range []string{"environ", "cmdline"} {
			text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(e.PID), file))
			if err != nil {
				c.t.Logf("%s of engine %s cannot be read here", file, e.Name)
				continue
			}
			if e.Name == "other" {
				for _, own := range []string{"PLUG_ENV", "PLUG_LITERAL"} {
					if file == "environ" && !bytes.Contains(text, []byte(c.canaries[own])) {
						c.t.Errorf("engine other does not have its own %s", own)
					}
					text = bytes.ReplaceAll(text, []byte(c.canaries[own]), nil)
				}
			}
			all = append(all, text...)
		}
	}
	return all
}

// traffic is what senders do, right and wrong.
func (c *cage) traffic() {
	sent := c.canaries["SENT"]
	for i := range 3 {
		body := fmt.Sprintf(`{"n":%d}`, i)
		for _, name := range []string{"env", "file", "literal", "fallback", "hex", "standard", "token", "gitlab"} {
			c.cli("send", "--webhook", name, "--data", body, "--url", c.life.public+"/webhooks/"+name+"?access_token="+sent+"&token="+sent,
				"-H", "Cookie: "+sent, "-H", "Proxy-Authorization: "+sent, "-H", "X-Api-Key: "+sent, "-H", "X-Any-Secret: "+sent,
				"-H", "X-GitHub-Event: push", "-H", "X-Gitlab-Event: Push Hook")
		}
	}
	for _, name := range []string{"env", "file", "literal", "fallback", "hex", "standard", "token", "gitlab", "none"} {
		for place, canary := range c.canaries { // somebody sends a secret where it does not belong
			c.post(name, canary, http.Header{
				"X-Hub-Signature-256": {"sha256=" + canary}, "X-Sig": {canary}, "Webhook-Signature": {"v1," + canary}, "Webhook-Id": {canary},
				"Webhook-Timestamp": {canary}, "Cookie": {canary}, "X-Forwarded-For": {canary},
			}, place)
		}
	}
	c.post("file", strings.Repeat("a", 2000), nil, "too large")
	c.post("env", "{}", http.Header{"Content-Encoding": {"gzip"}}, "encoded")
	c.post("env", "{}", http.Header{"X-Hub-Signature-256": {c.canaries["BY_ENV"], c.canaries["BY_ENV"]}}, "twice")
}

func (c *cage) post(hook, body string, h http.Header, what string) {
	c.t.Helper()
	r, err := http.NewRequest(http.MethodPost, c.life.public+"/webhooks/"+hook, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if h != nil {
		r.Header = h
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode == http.StatusAccepted {
		c.t.Errorf("webhook %s took %s", hook, what)
	}
	c.refused++
	c.search("the answer to "+what, append(text, fmt.Sprint(resp.Header)...))
}

// cli runs the command line; what it shows is searched, what it sends counted.
func (c *cage) cli(args ...string) {
	c.t.Helper()
	cmd := exec.Command(built.gateway, append(args, "--config", c.site.config, "--admin", c.life.admin)...)
	cmd.Env = append(os.Environ(), c.site.env...)
	out, err := cmd.CombinedOutput()
	if args[0] == "send" && err == nil {
		c.accepted++
	}
	c.search("gateway "+strings.Join(args[:min(3, len(args))], " "), out)
}

// look shows everything that can be shown.
func (c *cage) look() {
	c.t.Helper()
	for _, path := range []string{
		"/metrics", "/healthz", "/readyz", "/api/v1/status", "/api/v1/config", "/api/v1/engines", "/api/v1/webhooks", "/api/v1/schedules",
		"/api/v1/routes", "/api/v1/events?limit=100", "/api/v1/deliveries?limit=100", "/api/v1/nothing?token=a",
	} {
		c.search(path, c.page(path))
	}
	for _, list := range []struct{ path, key string }{{"/api/v1/events", "events"}, {"/api/v1/deliveries", "deliveries"}} {
		var page map[string]json.RawMessage
		var rows []struct{ ID string }
		if json.Unmarshal(c.page(list.path), &page) != nil || json.Unmarshal(page[list.key], &rows) != nil || len(rows) == 0 {
			c.t.Fatalf("%s: no rows", list.path)
		}
		for _, row := range rows {
			c.search(list.path+"/"+row.ID, c.page(list.path+"/"+row.ID))
		}
	}
	c.lookBack()
	c.cli("status")
	c.cli("status", "-o", "yaml")
	c.cli("deliveries", "list")
	c.cli("events", "list", "-o", "json")
	c.cli("validate")
}

// lookBack shows the history of the configuration.
func (c *cage) lookBack() {
	c.t.Helper()
	var page struct{ Revisions []struct{ Revision string } }
	if err := json.Unmarshal(c.page("/api/v1/config/revisions"), &page); err != nil || len(page.Revisions) == 0 {
		c.t.Fatalf("history: %d revisions, %v", len(page.Revisions), err)
	}
	c.search("the history", c.page("/api/v1/config/revisions"))
	for _, r := range page.Revisions {
		c.search("revision "+r.Revision, c.page("/api/v1/config/revisions/"+r.Revision))
		c.search("the difference from "+r.Revision, c.page("/api/v1/config/diff?from="+r.Revision))
	}
	for _, args := range [][]string{{"history"}, {"show"}, {"show", "-o", "json"}, {"diff"}, {"diff", c.site.config}, {"rollback-hint"}, {"history", "--offline"}} {
		c.cli(append([]string{"config"}, args...)...)
	}
}

// changeSecrets has differences in which there are literals.
func (c *cage) changeSecrets() {
	c.t.Helper()
	for _, more := range []string{
		strings.Replace(cagedMore, "C:INCLUDED, ", "", 1),
		strings.Replace(cagedMore, "C:INCLUDED", `"${env:NOT_SET:-C:INCLUDED}"`, 1),
		cagedMore + "engines: {spare: {plugin: ENGINE, env: {GATEWAY_TEST_PIDS: DIR/out/pids, WORD: C:PLUG_LITERAL}, config: {journal: DIR/out/spare}}}\n",
	} {
		c.include(c.site.fill(more))
		resp, err := http.Post(c.life.admin+"/-/reload", "", nil)
		if err != nil {
			c.t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		if resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
			c.t.Errorf("reload: %d %v %s", resp.StatusCode, err, text)
		}
		c.search("the answer to a reload", text)
		c.lookBack()
	}
}

func (c *cage) page(path string) []byte {
	c.t.Helper()
	resp, err := http.Get(c.life.admin + path)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return text
}

// change breaks a configuration: it replaces one text with another.
type change struct{ from, to string }

// brokenSecrets are mistakes around secrets, by what they are.
func brokenSecrets() map[string]change {
	const env = `"${env:CANARY_BY_ENV}"`
	secrets := func(to string) change { return change{"[" + env, "[" + to} }
	return map[string]change{
		"a secret as a size":            {"max_body: 1KiB", `max_body: "${env:CANARY_BY_ENV}"`},
		"a secret as a public URL":      {"  trusted_proxies", "  public_url: \"${env:CANARY_BY_ENV}\"\n  trusted_proxies"},
		"a secret as free disk":         {"store: {path", "store: {min_free: \"${env:CANARY_BY_ENV}\", path"},
		"a literal default":             secrets(`"${env:NOT_SET:-C:LITERAL}", "${env:NOT_SET}"`),
		"an environment by any name":    {"PASSPHRASE: C:PLUG_LITERAL", "PASSPHRASE: C:PLUG_LITERAL, \"NOT A NAME\": x"},
		"a secret as a rate":            {"rate: 5/h", `rate: "${env:CANARY_BY_ENV}"`},
		"a secret as a network":         {"[127.0.0.1]", `["${env:CANARY_BY_ENV}"]`},
		"a secret as a scheme":          {"scheme: token", `scheme: "${env:CANARY_BY_ENV}"`},
		"a secret as a path":            {"scheme: token,", `scheme: token, path: "${env:CANARY_BY_ENV}",`},
		"a secret as a header":          {"X-Sig", `"${env:CANARY_BY_ENV} "`},
		"a secret as an engine":         {"run: main/note", `run: "${env:CANARY_BY_ENV}/note"`},
		"a secret as a checksum":        {"    plugin: ENGINE\n", "    plugin: ENGINE\n    sha256: \"${env:CANARY_BY_ENV}\"\n"},
		"a secret with a line end":      secrets("\"C:LITERAL\\n\""),
		"a list for a secret":           secrets("[C:LITERAL]"),
		"a map for a secret":            secrets("{value: {a: C:LITERAL}}"),
		"a misspelt key of a secret":    secrets("{valeu: C:LITERAL}"),
		"an end that is none":           secrets("{value: C:LITERAL, until: tomorrow}"),
		"the same key twice":            secrets("{value: C:LITERAL, value: C:BY_ENV}"),
		"a secret for no scheme":        {"scheme: token", "scheme: none"},
		"not hex":                       {"encoding: hex", "encoding: base64"},
		"not base64":                    {"${env:CANARY_STANDARD}", "whsec_${env:CANARY_BY_ENV}!"},
		"a reference that is not there": secrets(`"C:LITERAL${env:NOT_SET}"`),
		"a reference not closed":        secrets(`"C:LITERAL${env:NOT_SET"`),
		"an unknown reference":          secrets(`"C:LITERAL${vault:a}"`),
		"a bracket too few":             {"secrets: [C:LITERAL]", "secrets: [C:LITERAL"},
		"a quote not closed":            {"secrets: [C:LITERAL]", "secrets: [\"C:LITERAL]"},
		"a tag before a secret":         {"secrets: [C:LITERAL]", "secrets: [!C:LITERAL]"},
		"an anchor that is not there":   {"secrets: [C:LITERAL]", "secrets: [*C:LITERAL]"},
		"a number of secrets":           {"secrets: [C:LITERAL]", "secret: C:LITERAL"},
		"a literal in the engine":       {"PASSPHRASE: C:PLUG_LITERAL", "PASSPHRASE: [C:PLUG_LITERAL]"},
		"an engine's name with spaces":  {"PASSPHRASE: C:PLUG_LITERAL", "\"LITERAL TOKEN\": C:PLUG_LITERAL"},
		"a secret as a method":          {"secrets: [\"${env:CANARY_CALL_SIGN}\"]", "method: \"${env:CANARY_CALL_SIGN}\""},
		"a secret as a host":            {"          url: \"", "          url: \"https://${env:CANARY_CALL_QUERY}:x/"},
		"not for signing":               {"[\"${env:CANARY_CALL_SIGN}\"]", "[\"${env:CANARY_CALL_BODY}\"]"},
		"a secret in an engine's key":   {"{commands:", `{comands: "${env:CANARY_PLUG_CONFIG}", commands:`},
		"a secret file as certificate":  {"  trusted_proxies", "  tls: {cert: by-file, key: by-file}\n  trusted_proxies"},
		"a secret file as a schema":     {"scheme: token,", "scheme: token, schema: by-file,"},
	}
}

// breakIt has the gateway and the command line refuse a configuration, and
// searches what they say about it.
func (c *cage) breakIt(name string, ch change) {
	c.t.Helper()
	from := c.fill(ch.from)
	if !strings.Contains(c.whole, from) {
		c.t.Fatalf("%s: %q is not in the configuration", name, from)
	}
	c.site.write(strings.Replace(c.whole, from, c.fill(ch.to), 1))
	resp, err := http.Post(c.life.admin+"/-/reload", "", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusUnprocessableEntity {
		c.t.Errorf("%s: reload answered %d %v %s", name, resp.StatusCode, err, text)
	}
	c.search(name+": the answer to a reload", text)
	c.search(name+": the status", c.page("/api/v1/config"))
	c.cli("validate")
	c.cli("validate", "-o", "json")
	c.cli("send", "--webhook", "token", "--data", "{}")
}

// searchStore looks into every file that the gateway wrote.
func (c *cage) searchStore() {
	c.t.Helper()
	files := 0
	err := filepath.WalkDir(c.site.path("data"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		files++
		c.search(path, text)
		return err
	})
	if err != nil || files == 0 {
		c.t.Errorf("store: %d files, %v", files, err)
	}
	c.t.Logf("%d bytes were searched, %d files of the store; %d requests accepted, %d refused", c.searched, files, c.accepted, c.refused)
}

// locked is a buffer that one writes while another looks.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *locked) Bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}

func (l *locked) Len() int { return len(l.Bytes()) }
