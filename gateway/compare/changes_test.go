package compare

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/event-gateway/gateway/gateway/config"
)

func values(t *testing.T, text string) Values {
	t.Helper()
	if !strings.Contains(text, "engines:") {
		text = "engines: {e: {plugin: /e}}\n" + text
	}
	doc, problems := config.Parse("gateway.yaml", []byte("version: 1\n"+text),
		config.Options{Env: func(string) (string, bool) { return "a-secret-from-the-environment", true }})
	if problems.Failed() {
		t.Fatal(problems.Text())
	}
	plain, shown := doc.Values()
	return Values{plain, shown}
}

// Changes are told by what they mean, with values as they are written, and
// never a literal that may be secret.
func TestChanges(t *testing.T) {
	t.Parallel()
	const long = "event.data.a && event.data.b && event.data.c && event.data.d && event.data.e && event.data.f && event.data.g"
	for name, c := range map[string]struct{ before, after, want string }{
		"nothing":       {"routes: {r: {events: [a], run: e/w}}", "routes:\n  r:\n    run: e/w # here\n    events:\n    - a", ""},
		"a value":       {"server: {max_body: 1MiB}", "server: {max_body: 2MiB}", `server.max_body changed: "1MiB" -> "2MiB"`},
		"an expression": {"routes: {r: {events: [a], run: e/w, when: a > 1}}", "routes: {r: {events: [a], run: e/w, when: b}}", `routes.r.when changed: "a > 1" -> "b"`},
		"a long one":    {"routes: {r: {events: [a], run: e/w, when: a}}", "routes: {r: {events: [a], run: e/w, when: '" + long + "'}}", "routes.r.when changed"},
		"an item":       {"routes: {r: {events: [a, b], run: e/w}}", "routes: {r: {events: [a, c], run: e/w}}", `routes.r.events[1] changed: "b" -> "c"`},
		"more items":    {"routes: {r: {events: [a], run: e/w}}", "routes: {r: {events: [a, b], run: e/w}}", `routes.r.events changed: ["a"] -> ["a","b"]`},
		"a key":         {"routes: {r: {events: [a], run: e/w}}", "routes: {r: {events: [a], run: e/w, concurrency: 2}}", "routes.r.concurrency added: 2"},
		"one key less":  {"routes: {r: {events: [a], run: e/w, order: strict}}", "routes: {r: {events: [a], run: e/w}}", `routes.r.order removed: was "strict"`},
		"an entry":      {"", "routes: {r: {events: [a], run: e/w, with: {text: <b>}}}", `routes.r added: {"events":["a"],"run":"e/w","with":{"text":"<b>"}}`},
		"another kind":  {"routes: {r: {events: [a], run: e/w, with: {a: 1}}}", "routes: {r: {events: [a], run: e/w, with: {a: '1'}}}", `routes.r.with.a changed: 1 -> "1"`},
		"a reference": {`webhooks: {w: {scheme: github, secrets: ["${env:A}"]}}`, `webhooks: {w: {scheme: github, secrets: ["${env:B}"]}}`,
			`webhooks.w.secrets[0] changed: "${env:A}" -> "${env:B}"`},
		"a secret": {`webhooks: {w: {scheme: github, secrets: [hunter2-hunter2-hunter2]}}`, `webhooks: {w: {scheme: github, secrets: [hunter3-hunter3-hunter3]}}`,
			"webhooks.w.secrets[0] changed"},
		"a default":   {`webhooks: {w: {scheme: github, secrets: ["${env:A}"]}}`, `webhooks: {w: {scheme: github, secrets: ["${env:A:-hunter2-hunter2}"]}}`, "webhooks.w.secrets[0] changed"},
		"environment": {"engines: {x: {plugin: /x, env: {WORD: hunter2}}}", "engines: {x: {plugin: /x, env: {WORD: hunter3, MORE: hunter4}}}", "engines.x.env.MORE added\nengines.x.env.WORD changed"},
		"a token":     {"", `server: {tokens: {ci: {role: send, token: hunter2-hunter2-hunter2}}}`, "server.tokens added"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			a, b := values(t, c.before), values(t, c.after)
			for _, change := range Changes(a, b).Changes {
				got = append(got, change.String())
			}
			if diff := cmp.Diff(c.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if strings.Contains(fmt.Sprintf("%+v", Changes(a, b)), "hunter") {
				t.Errorf("shows a secret: %+v", Changes(a, b))
			}
		})
	}
}

func TestManyChanges(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("routes:\n")
	for i := range maxChanges + 7 {
		fmt.Fprintf(&text, "  r%d: {events: [a], run: e/w}\n", i)
	}
	if got := Changes(values(t, ""), values(t, text.String())); len(got.Changes) != maxChanges || got.More != 7 {
		t.Errorf("%d changes and %d more", len(got.Changes), got.More)
	}
}
