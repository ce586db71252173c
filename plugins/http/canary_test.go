package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/event-gateway/gateway/plugins/sdk"
)

// Each place where a secret can be has one of its own.
const (
	canarySigning = "Y2FuYXJ5LXNpZ25pbmcrLy82ZTRmMWMwYTk3Pz4+" // base64 with + and /
	canaryHeader  = `canary-header-"6e4f/1c0a97+`
	canaryPath    = "canaryPath6e4f1c0a97"
	canaryQuery   = "canary query 6e4f1c0a97"
	canaryBody    = "canary-body-6e4f1c0a97"
)

const canaryRequest = `{"url":"URL/` + canaryPath + `/{event.type}?token=canary%20query%206e4f1c0a97&v={input.v}",
	"headers":{"Authorization":"Bearer canary-header-\"6e4f/1c0a97+"},
	"secrets":["whsec_` + canarySigning + `"],"keep":["X-Echo"],
	"body":{"api_key":"` + canaryBody + `","text":"{input.v}"}}`

// holds is which canary a text has, however it is written there.
func holds(text string) string {
	for _, canary := range []string{canarySigning, canaryHeader, canaryPath, canaryQuery, canaryBody} {
		quoted, _ := json.Marshal(canary)
		for _, form := range []string{canary, strings.Trim(string(quoted), `"`), url.QueryEscape(canary), url.PathEscape(canary), canary[4:20]} {
			if strings.Contains(text, form) {
				return canary
			}
		}
	}
	return ""
}

// A service that repeats all that it hears puts no secret into what is kept.
func TestEchoes(t *testing.T) {
	forms := map[string]func(map[string]any) string{
		"JSON": func(heard map[string]any) string { return string(object(heard)) },
		"JSON of another library": func(heard map[string]any) string {
			return strings.NewReplacer("/", `\/`, "+", `\u002B`, "-", `\u002d`).Replace(string(object(heard)))
		},
		"text":      func(heard map[string]any) string { return fmt.Sprint(heard) },
		"torn JSON": func(heard map[string]any) string { return string(object(heard))[1:] },
		"a list of names": func(heard map[string]any) string {
			return string(object(map[string]any{"list": []any{heard, canaryHeader}, canaryHeader: 1}))
		},
	}
	for name, form := range forms {
		for _, status := range []int{200, 302, 400, 429, 500} {
			s := newService(t, nil)
			s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				w.Header().Set("X-Echo", r.Header.Get("Authorization"))
				w.Header().Set("Location", r.URL.String())
				w.WriteHeader(status)
				_, _ = io.WriteString(w, form(map[string]any{
					"authorization": r.Header.Get("Authorization"), "uri": r.RequestURI, "query": r.URL.Query(), "body": string(body),
					"signing": "whsec_" + canarySigning, "v": "kept",
				}))
			})
			result, err := one(t, canaryRequest, s.URL).Run(t.Context(), run(`{"v":"what was sent"}`))
			output, jsonErr := json.Marshal(result.Output)
			if jsonErr != nil {
				t.Fatal(jsonErr)
			}
			shown := string(output) + fmt.Sprint(err)
			if canary := holds(shown); canary != "" {
				t.Errorf("%s, %d: %s in %s", name, status, canary, shown)
			}
			if status == 200 && (!strings.Contains(shown, "kept") || !strings.Contains(shown, "what was sent") || !strings.Contains(shown, redacted)) {
				t.Errorf("%s: too much was hidden: %s", name, shown)
			}
		}
	}
}

// A secret that is cut in two by the end of what is kept is not half shown.
func TestHalfASecret(t *testing.T) {
	for at := 1000; at < 1040; at++ {
		s := newService(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", at)+canaryBody+strings.Repeat("y", 10<<10))
		})
		e := one(t, `{"url":"URL","max_output":"1KiB","body":{"token":"`+canaryBody+`"}}`, s.URL)
		result, err := e.Run(t.Context(), run(""))
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprint(result.Output.(map[string]any)["body"])
		if strings.Contains(text, "canary") || len(text) > 1024 || len(text) < 1000 {
			t.Errorf("at %d: %d bytes, %s", at, len(text), text[990:])
		}
		s.Close()
	}
}

// Nor is one that comes nearer because many before it were hidden.
func TestManySecrets(t *testing.T) {
	long := strings.Repeat("canary-", 14) // of 98 bytes, so that what is read ends within one
	s := newService(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat(long, 100))
	})
	e := one(t, `{"url":"URL","max_output":"1KiB","body":{"token":"`+long+`"}}`, s.URL)
	result, err := e.Run(t.Context(), run(""))
	if text := fmt.Sprint(result.Output); err != nil || strings.Contains(text, "canary") {
		t.Error(text, err)
	}
}

// Whatever is printed, and whatever mistake is reported, no value is quoted.
func TestNothingIsQuoted(t *testing.T) {
	c := requestConfig{URL: canaryPath, Headers: map[string]secret{"X": canaryHeader}, Secrets: []secret{canarySigning}}
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%v %+v %#v %s %q %s", c, c, c, c.Secrets, c.Secrets, encoded); holds(text) != "" || !strings.Contains(text, redacted) {
		t.Error(text)
	}
	const canary = canaryBody
	for _, config := range []string{
		`{"allow":["C C"]}`, `{"ca":"C"}`, `{"cert":"C","key":"C"}`, `{"allow":["10.0.0.0/C"]}`,
	} {
		refuse(t, strings.Replace(config, "}", `,"requests":{"it":{"url":"https://a.example"}}}`, 1), canary)
	}
	for _, request := range []string{
		`{"url":"C"}`, `{"url":"https://a.example/{C}"}`, `{"url":"https://C:C@a.example/"}`, `{"url":"https://a.example:C/"}`, `{"url":"https://a.example/#C"}`,
		`{"url":"https://a.example/%zzC"}`, `{"url":"https://{input.C}.example/"}`, `{"method":"C","url":"https://a.example"}`, `{"body":"C","url":"https://a.example"}`,
		`{"body":{"a":"{C}"},"url":"https://a.example"}`, `{"headers":{"A":"{C}"},"url":"https://a.example"}`, `{"headers":{"A":"\nC"},"url":"https://a.example"}`,
		`{"secrets":["C"],"url":"https://a.example"}`, `{"secrets":["whsec_C"],"url":"https://a.example"}`, `{"timeout":"C","url":"https://a.example"}`,
		`{"success":["C"],"url":"https://a.example"}`, `{"keep":["C C"],"url":"https://a.example"}`, `{"max_output":"C","url":"https://a.example"}`,
	} {
		refuse(t, `{"requests":{"it":`+request+`}}`, canary)
	}
}

func refuse(t *testing.T, config, canary string) {
	t.Helper()
	err := new(engine).Configure(t.Context(), &sdk.Config{JSON: []byte(strings.ReplaceAll(config, "C", canary)), BaseDir: t.TempDir()})
	if err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("%s: %v", config, err)
	}
}
