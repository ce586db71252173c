package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"gopkg.in/yaml.v3"
)

const longSecret = "0123456789abcdef0123456789abcdef"

func load(t *testing.T, file string) *Document {
	t.Helper()
	doc, problems := Load(file, testOptions())
	if len(problems) > 0 {
		t.Fatal(problems.Text())
	}
	return doc
}

func parseText(text string, opts Options) (*Document, Problems) {
	return Parse("gateway.yaml", []byte(text), opts)
}

// TestFull looks at what a file with everything in it becomes.
func TestFull(t *testing.T) {
	t.Parallel()
	doc := load(t, "testdata/good/full.yaml")
	dir, err := filepath.Abs("testdata/good")
	if err != nil {
		t.Fatal(err)
	}
	cfg := doc.Config
	deploy, quick, exec := cfg.Routes["deploy-main"], cfg.Routes["quick"], cfg.Engines["exec"]
	partner := cfg.Webhooks["partner"]
	for name, c := range map[string]struct{ got, want any }{
		"store path":     {cfg.Store.Path, filepath.Join(dir, "data")},
		"retain":         {cfg.Store.Retain.Unrouted, Duration(36 * time.Hour)},
		"relative":       {exec.Plugin, filepath.Join(dir, "bin/plugins/exec")},
		"absolute":       {cfg.Engines["temporal"].Plugin, "/opt/temporal"},
		"sha256":         {exec.SHA256[:8], "9f2c1d0e"},
		"config":         {string(exec.Config), `{"depth":3,"dir":"./workflows","list":["a","word","${env:WORD}"],"none":null,"ratio":1.50}`},
		"no config":      {cfg.Engines["temporal"].Config, json.RawMessage(nil)},
		"limits default": {cfg.Engines["temporal"].Limits, Limits{32, Duration(time.Minute), Duration(10 * time.Second), Rate{Count: 5, Window: Duration(time.Minute)}, Duration(30 * time.Second), 0, 0}},
		"env":            {string(exec.Env["TOKEN"].Reveal()), longSecret},
		"default path":   {cfg.Webhooks["github_push"].Path, "/webhooks/github_push"},
		"own body limit": {partner.MaxBody, Size(64 << 10)},
		"body limit":     {cfg.Webhooks["open"].MaxBody, Size(2 << 20)},
		"file secret":    {string(partner.Secrets[0].Value.Reveal()), "partner-secret-partner-secret"},
		"secrets kept":   {len(cfg.Webhooks["github_push"].Secrets), 2},
		"until":          {cfg.Webhooks["github_push"].Secrets[1].Until, time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)},
		"headers":        {partner.Headers, []string{"x-request-id"}},
		"allow":          {fmt.Sprint(partner.Allow), "[203.0.113.0/24 2001:db8::1/128]"},
		"cel untouched":  {partner.ID, CEL(`event.headers["x-request-id"]`)},
		"block cel":      {strings.Contains(string(deploy.When), `"${services}/"`), true},
		"challenge":      {[]any{partner.Challenge.Method, partner.Challenge.Match["query.hub.mode"], partner.Challenge.Answer, partner.Challenge.Status}, []any{"GET", Values{"subscribe", "renew"}, map[string]any{"response": "{challenge}"}, 200}},
		"known provider": {cfg.Webhooks["open"].Challenge.Provider, "dropbox"},
		"origins":        {partner.CloudEvents.Origins, []string{"events.example.com"}},
		"schema":         {[]string{partner.Schema.Path, string(partner.Schema.Text), partner.OnInvalid}, []string{filepath.Join(dir, "partner-schema.json"), `{"type": "object", "required": ["kind"]}` + "\n", "accept"}},
		"schema watched": {slices.Contains(doc.Files, filepath.Join(dir, "partner-schema.json")), true},
		"batch":          {partner.CloudEvents.Batch, 1000},
		"empty is there": {cfg.Webhooks["open"].CloudEvents, &CloudEvents{}},
		"schedule type":  {cfg.Schedules["heartbeat"].Type, "schedule.heartbeat"},
		"schedule data":  {string(cfg.Schedules["nightly-report"].Data), `{"recipients":["team@company.com"],"report_type":"sales_summary"}`},
		"missed default": {cfg.Schedules["heartbeat"].Missed, "latest"},
		"match":          {deploy.Match["data.size"], Values{json.Number("1"), json.Number("2.50"), true, nil}},
		"match one":      {deploy.Match["data.ref"], Values{"refs/heads/main"}},
		"with": {deploy.With, map[string]any{
			"repo": "${{ event.data.repository.full_name }}", "title": `deploy ${{ "${env:NOPE}" }} to word`,
			"big": json.Number("12345678901234567890"), "hex": json.Number("31"), "date": "2026-12-01",
		}},
		"target":         {deploy.Run, Target{Engine: "temporal", Workflow: "deploy/now"}},
		"default target": {quick.Run, Target{Engine: "exec", Workflow: "notify"}},
		"enabled":        {deploy.Enabled, true},
		"disabled":       {quick.Enabled, false},
		"retry":          {deploy.Retry, Retry{3, Backoff{Min: Duration(time.Second), Max: Duration(10 * time.Minute)}, 10, Duration(24 * time.Hour)}},
		"merged retry":   {quick.Retry, Retry{3, Backoff{Min: Duration(500 * time.Millisecond), Max: Duration(5 * time.Second)}, 0, Duration(24 * time.Hour)}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestMerge: an entry's own keys win, then those of the first map merged.
func TestMerge(t *testing.T) {
	t.Parallel()
	got := load(t, "testdata/good/merge.yaml").Config.Routes["r"].Retry
	pause := Duration(2 * time.Second)
	if want := (Retry{3, Backoff{Min: pause, Max: pause}, 0, Duration(24 * time.Hour)}); got != want {
		t.Errorf("retry = %+v, want %+v", got, want)
	}
}

func TestSmallestHasDefaults(t *testing.T) {
	t.Parallel()
	cfg := load(t, "testdata/good/smallest.yaml").Config
	want := Server{Listen: "127.0.0.1:8080", Admin: "127.0.0.1:9090", MaxBody: 1 << 20}
	if cfg.Server.Listen != want.Listen || cfg.Server.Admin != want.Admin || cfg.Server.MaxBody != want.MaxBody {
		t.Errorf("server = %+v", cfg.Server)
	}
	if cfg.Store.MaxPending != 5_000_000 || cfg.Defaults.Retry.Attempts != 12 {
		t.Errorf("store = %+v, defaults = %+v", cfg.Store, cfg.Defaults)
	}
}

func TestSecretNeverShows(t *testing.T) {
	t.Parallel()
	doc := load(t, "testdata/good/full.yaml")
	s := doc.Config.Webhooks["github_push"].Secrets[0].Value
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		fmt.Fprintf(&out, verb+"\n", s)
		fmt.Fprintf(&out, verb+"\n", &s)
		fmt.Fprintf(&out, verb+"\n", doc.Config)
		fmt.Fprintf(&out, verb+"\n", doc.Config.Webhooks)
		fmt.Fprintf(&out, verb+"\n", doc.Config.Engines["exec"].Env)
	}
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, yaml.Marshal} {
		text, err := marshal(map[string]any{"s": s, "p": &s, "m": map[string]Secret{"k": s}})
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
	}
	sink := zapcore.AddSync(&out)
	log := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), sink, zap.DebugLevel))
	log.Info("x", zap.Any("a", s), zap.Any("p", &s), zap.Stringer("s", s), zap.Reflect("r", doc.Config.Webhooks))
	for _, hidden := range []string{longSecret[:12], "fedcba98", "30313233343536373839616263"} {
		if strings.Contains(out.String(), hidden) {
			i := strings.Index(out.String(), hidden)
			t.Errorf("shows: …%s", out.String()[max(0, i-80):i+len(hidden)])
		}
	}
	if !strings.Contains(out.String(), redacted) {
		t.Error("nothing was redacted")
	}
	if string(s.Reveal()) != longSecret {
		t.Error("reveal is not the secret")
	}
}

func TestStrictTurnsWarningsIntoErrors(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		opts := testOptions()
		opts.Strict = strict
		_, problems := Load("testdata/bad/secret-literal.yaml", opts)
		if problems.Failed() != strict || len(problems) != 2 {
			t.Errorf("strict %t: %v", strict, problems)
		}
	}
}

// TestNoSecrets: without the environment a file is still checked, for all
// else, and everything that depends on the environment is let through.
func TestNoSecrets(t *testing.T) {
	t.Parallel()
	const text = `
version: 1
server: {listen: "${env:A}", max_body: "${env:B}", public_url: "https://${env:C}.example.com"}
store: {max_pending: "${env:D}"}
engines:
  exec: {plugin: "${env:E}/exec", env: {T: "${env:F}"}, transport: "${env:O}"}
webhooks:
  w: {scheme: github, secrets: ["${file:no/such/file}", {value: "${env:G}", until: "${env:H}"}], allow: ["${env:I}"]}
`
	opts := testOptions()
	opts.NoSecrets = true
	doc, problems := parseText(text, opts)
	if len(problems) > 0 {
		t.Fatal(problems.Text())
	}
	w := doc.Config.Webhooks["w"]
	if len(w.Secrets) != 2 || len(w.Allow) != 0 || doc.Config.Store.MaxPending != 5_000_000 {
		t.Errorf("webhook = %+v, store = %+v", w, doc.Config.Store)
	}
	if _, problems = parseText(text, testOptions()); len(problems) < 9 {
		t.Errorf("with secrets only %d problems:\n%s", len(problems), problems.Text())
	}
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "gateway.yaml")
	text := "version: 1\nwebhooks:\n  w: {scheme: github, secrets: [\"${generate:data/secrets/w}\"]}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "data", "secrets", "w")
	doc, problems := Load(path, testOptions()) // as validate does
	if _, err := os.Stat(file); len(problems) > 0 || !os.IsNotExist(err) {
		t.Fatalf("without generate: %v, %v", problems, err)
	}
	before := doc.Fingerprint
	opts := testOptions()
	opts.Generate = true
	results := make(chan string, 8)
	for range cap(results) {
		go func() {
			doc, problems := Load(path, opts)
			if len(problems) > 0 {
				results <- problems.Error()
				return
			}
			results <- string(doc.Config.Webhooks["w"].Secrets[0].Value.Reveal())
		}()
	}
	first := <-results
	for range cap(results) - 1 {
		if other := <-results; other != first {
			t.Errorf("two secrets were generated: %q and %q", first, other)
		}
	}
	if len(first) != 64 {
		t.Errorf("generated %q", first)
	}
	for name, want := range map[string]os.FileMode{file: 0o600, filepath.Dir(file): os.ModeDir | 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
	left, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(left) != 1 {
		t.Errorf("drafts are left: %v, %v", left, err)
	}
	if doc, _ = Load(path, testOptions()); doc.Fingerprint == before || doc.Files[1] != file {
		t.Errorf("fingerprint %s, files %v", doc.Fingerprint, doc.Files)
	}
}

// TestRevision: a rotated secret is another fingerprint of the same revision.
func TestRevision(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, secret := filepath.Join(dir, "gateway.yaml"), filepath.Join(dir, "secret")
	save := func(name, text string) *Document {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		doc, _ := Load(path, testOptions())
		return doc
	}
	text := "version: 1\nwebhooks: {w: {scheme: github, secrets: [\"${file:secret}\"]}}\n"
	missing := save(path, text)
	one := save(secret, longSecret)
	two := save(secret, longSecret+"2")
	three := save(path, text+"# more\n")
	if one.Revision != two.Revision || two.Revision == three.Revision {
		t.Errorf("revisions %s %s %s", one.Revision, two.Revision, three.Revision)
	}
	seen := map[string]bool{}
	for _, doc := range []*Document{missing, one, two, three} {
		if seen[doc.Fingerprint] {
			t.Errorf("fingerprint %s twice", doc.Fingerprint)
		}
		seen[doc.Fingerprint] = true
	}
	if again, _ := Load(path, testOptions()); again.Fingerprint != three.Fingerprint {
		t.Error("the fingerprint changed by itself")
	}
}

func TestLoadUnreadable(t *testing.T) {
	t.Parallel()
	doc, problems := Load("testdata/no-such.yaml", testOptions())
	if got := problems.Error(); got != "testdata/no-such.yaml: does not exist" || len(doc.Files) != 1 || doc.Problem("routes", "x", "").Line != 1 {
		t.Errorf("problems %q, files %v", got, doc.Files)
	}
	big := filepath.Join(t.TempDir(), "big.yaml")
	if err := os.WriteFile(big, make([]byte, 4<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, problems = Load(big, testOptions()); !strings.Contains(problems.Error(), "is larger than 4 MiB") {
		t.Error(problems.Error())
	}
}

// TestManyRoutes: time must grow with the file, not with its square.
func TestManyRoutes(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("version: 1\nengines: {e: {plugin: ./x}}\nroutes:\n")
	for i := range 5000 {
		fmt.Fprintf(&b, "  route-%d: {events: [a.b], run: e/x, retry: {attempts: 3}, with: {n: %d}}\n", i, i)
	}
	start := time.Now()
	doc, problems := parseText(b.String(), testOptions())
	if len(problems) > 0 || len(doc.Config.Routes) != 5000 {
		t.Fatalf("%d routes, %d problems", len(doc.Config.Routes), len(problems))
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
}

// TestStructsAreDescribed walks the structs: defaults must parse, and every
// field must have a key.
func TestStructsAreDescribed(t *testing.T) {
	t.Parallel()
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Map || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || typ.PkgPath() != reflect.TypeFor[Config]().PkgPath() || typ == reflect.TypeFor[Secret]() {
			return
		}
		if _, parses := reflect.PointerTo(typ).MethodByName("UnmarshalText"); parses {
			return
		}
		for f := range typ.Fields() {
			if !f.IsExported() {
				continue
			}
			if f.Tag.Get("yaml") == "" {
				t.Errorf("%s.%s has no key", typ.Name(), f.Name)
			}
			if f.Type == reflect.TypeFor[CEL]() && f.Tag.Get("raw") == "" {
				t.Errorf("%s.%s is an expression but not raw", typ.Name(), f.Name)
			}
			walk(f.Type)
		}
	}
	walk(reflect.TypeFor[Config]())
}
