package handshake_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/verify"
	"github.com/event-gateway/gateway/gateway/webhook/handshake"
)

func compile(t testing.TB, specs ...handshake.Spec) *handshake.Set {
	t.Helper()
	set, err := handshake.Compile(specs, []verify.Secret{{Value: []byte("a secret of decent length")}})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func ask(t testing.TB, set *handshake.Set, method, target, body string) (string, error) {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	reply, err := set.Answer(&handshake.Question{Request: r, Body: []byte(body), Verified: true, Now: time.Now()})
	if reply == nil {
		return "", err
	}
	return string(reply.Body), err
}

func TestNothingAsked(t *testing.T) {
	set, err := handshake.Compile(nil, nil)
	if reply, askErr := set.Answer(nil); set != nil || err != nil || reply != nil || askErr != nil {
		t.Errorf("%v %v %v %v", set, err, reply, askErr)
	}
	if set.Takes(http.MethodGet, true) || set.Forgeable(nil) {
		t.Error("a webhook that is asked nothing takes or forges something")
	}
}

func TestMatching(t *testing.T) {
	match := func(values map[string][]any) *handshake.Set {
		return compile(t, handshake.Spec{Method: "POST", Match: values, Answer: "yes"})
	}
	is := func(place string, values ...any) map[string][]any { return map[string][]any{place: values} }
	const body = `{"type":"a","n":1,"on":true,"none":null,"list":[{"x":"y"}],"object":{}}`
	for name, tt := range map[string]struct {
		match map[string][]any
		want  string
	}{
		"a text":              {is("data.type", "a"), "yes"},
		"any of":              {is("data.type", "b", "a"), "yes"},
		"another text":        {is("data.type", "b"), ""},
		"a number":            {is("data.n", json.Number("1")), "yes"},
		"a number is no text": {is("data.n", "1"), ""},
		"a boolean":           {is("data.on", true), "yes"},
		"null":                {is("data.none", nil), "yes"},
		"absent is null":      {is("data.missing.deeper", nil), "yes"},
		"an element":          {is("data.list.0.x", "y"), "yes"},
		"beyond the list":     {is("data.list.1.x", nil), "yes"},
		"no index":            {is("data.list.-1.x", "y"), ""},
		"a list is nothing":   {is("data.list", nil), ""},
		"nor is an object":    {is("data.object", nil), ""},
		"all lines":           {map[string][]any{"data.type": {"a"}, "query.q": {"1"}}, "yes"},
		"not all lines":       {map[string][]any{"data.type": {"a"}, "query.q": {"2"}}, ""},
		"dots in a name":      {is("query.hub.mode", "subscribe"), "yes"},
		"twice is nowhere":    {is("query.twice", nil), "yes"},
	} {
		if got, err := ask(t, match(tt.match), "POST", "/?q=1&hub.mode=subscribe&twice=1&twice=2", body); got != tt.want || err != nil {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
}

// The value is put into the answer as it is: what looks like a placeholder in it
// is none, and JSON stays JSON.
func TestAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		answer any
		want   string
	}{
		"text":    {"<{challenge}>", `<{hmac_hex}">`},
		"JSON":    {map[string]any{"a": []any{"{challenge}", 1, nil}, "{challenge}": true}, `{"a":["{hmac_hex}\"",1,null],"{challenge}":true}`},
		"nothing": {"", ""},
	} {
		set := compile(t, handshake.Spec{Method: "GET", Value: "query.c", Answer: tt.answer})
		if got, err := ask(t, set, "GET", "/?c=%7Bhmac_hex%7D%22", ""); got != tt.want || err != nil {
			t.Errorf("%s: %s %v", name, got, err)
		}
	}
}

// FuzzAnswer: whatever is asked, what is said back is short and printable, and
// what is signed without a proof is nothing that an event could be.
func FuzzAnswer(f *testing.F) {
	var specs []handshake.Spec
	for _, name := range handshake.Providers() {
		for _, s := range handshake.Preset(name) {
			if s.TokenAt != "" {
				s.Token = []byte("agreed")
			}
			specs = append(specs, s)
		}
	}
	set := compile(f, specs...)
	f.Add("hub.mode=subscribe&hub.verify_token=agreed&hub.challenge=1", "", "", false)
	f.Add("crc_token=abc=", "", "", false)
	f.Add("validationToken=a%20b", "", "{}", false)
	f.Add("", "SubscriptionValidation", `[{"data":{"validationCode":"x"}}]`, false)
	f.Add("", "", `{"type":"url_verification","challenge":"x\u0000"}`, true)
	f.Add("", "", `{"event":"endpoint.url_validation","payload":{"plainToken":"x"}}`, true)
	f.Fuzz(func(t *testing.T, query, header, body string, verified bool) {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			r := httptest.NewRequest(method, "/", nil)
			r.URL.RawQuery = query
			r.Header.Set("Aeg-Event-Type", header)
			reply, err := set.Answer(&handshake.Question{Request: r, Body: []byte(body), Verified: verified, Secret: -1, Now: time.Now()})
			if reply == nil {
				continue
			}
			text := string(reply.Body)
			if err != nil || len(text) > 8192 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Fatalf("%d bytes, %v: %q", len(text), err, text)
			}
			if token := r.URL.Query().Get("crc_token"); strings.Contains(text, "response_token") && !set.Forgeable([]byte(token)) {
				t.Fatalf("signed %q", token)
			}
		}
	})
}
