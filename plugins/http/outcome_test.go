package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestOutcome(t *testing.T) {
	later := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	const most = time.Hour
	tests := []struct {
		name       string
		status     int
		retryAfter string
		success    string
		want       string
		least, max time.Duration
	}{
		{name: "200", status: 200, want: "succeeded"},
		{name: "204", status: 204, want: "succeeded"},
		{name: "301", status: 301, want: "permanent"},
		{name: "304", status: 304, want: "permanent"},
		{name: "400", status: 400, want: "permanent"},
		{name: "401", status: 401, want: "permanent"},
		{name: "404", status: 404, want: "permanent"},
		{name: "404 that is fine", status: 404, success: `["2xx",404]`, want: "succeeded"},
		{name: "200 that is not", status: 200, success: `[202]`, want: "permanent"},
		{name: "302 that is fine", status: 302, success: `["3xx"]`, want: "succeeded"},
		{name: "408", status: 408, want: "retryable"},
		{name: "408 with a time", status: 408, retryAfter: "3", want: "throttled", least: 3 * time.Second, max: 3 * time.Second},
		{name: "409", status: 409, want: "retryable"},
		{name: "410", status: 410, want: "permanent"},
		{name: "422", status: 422, retryAfter: "3", want: "permanent"},
		{name: "423", status: 423, want: "retryable"},
		{name: "425", status: 425, want: "retryable"},
		{name: "425 with a time", status: 425, retryAfter: "3", want: "throttled", least: 3 * time.Second, max: 3 * time.Second},
		{name: "429", status: 429, want: "throttled"},
		{name: "429 in seconds", status: 429, retryAfter: "120", want: "throttled", least: 2 * time.Minute, max: 2 * time.Minute},
		{name: "429 as a date", status: 429, retryAfter: later(10 * time.Minute), want: "throttled", least: 9 * time.Minute, max: 10 * time.Minute},
		{name: "429 as a date gone by", status: 429, retryAfter: later(-time.Hour), want: "throttled", least: time.Second, max: time.Second},
		{name: "429 at once", status: 429, retryAfter: "0", want: "throttled", least: time.Second, max: time.Second},
		{name: "429 in a year", status: 429, retryAfter: "31536000", want: "throttled", least: most, max: most},
		{name: "429 in the year 9999", status: 429, retryAfter: "Fri, 31 Dec 9999 23:59:59 GMT", want: "throttled", least: most, max: most},
		{name: "429 in more seconds than fit", status: 429, retryAfter: "18446744073709551615", want: "throttled", least: most, max: most},
		{name: "429 with nonsense", status: 429, retryAfter: "soon", want: "throttled"},
		{name: "429 before now", status: 429, retryAfter: "-5", want: "throttled"},
		{name: "500", status: 500, want: "retryable"},
		{name: "501", status: 501, want: "retryable"},
		{name: "502", status: 502, retryAfter: "3", want: "retryable"},
		{name: "503", status: 503, want: "retryable"},
		{name: "503 with a time", status: 503, retryAfter: "7", want: "throttled", least: 7 * time.Second, max: 7 * time.Second},
		{name: "503 with nonsense", status: 503, retryAfter: "1.5", want: "retryable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newService(t, func(w http.ResponseWriter, _ *http.Request) {
				if tt.retryAfter != "" {
					w.Header().Set("Retry-After", tt.retryAfter)
				}
				w.WriteHeader(tt.status)
			})
			success := tt.success
			if success == "" {
				success = "[]"
			}
			_, err := one(t, `{"url":"URL","success":`+success+`}`, s.URL).Run(t.Context(), run(""))
			kind, after := kindOf(err)
			if kind != tt.want || after < tt.least || after > tt.max {
				t.Errorf("%s after %s (%v), want %s", kind, after, err, tt.want)
			}
			if s.count() != 1 {
				t.Errorf("%d requests", s.count())
			}
		})
	}
}

func TestOutput(t *testing.T) {
	long := strings.Repeat("é", 40<<10)
	tests := []struct {
		name, request, mediaType, answer, want string
	}{
		{"JSON", `{"url":"URL"}`, "application/json", `{"id": 12345678901234567890}`, `"body":{"id":12345678901234567890},"headers":{"content-type":"application/json","x-request-id":"r1"},"status":200`},
		{"text", `{"url":"URL"}`, "text/plain", "fine\n", `"body":"fine\n","headers":{"content-type":"text/plain","x-request-id":"r1"},"status":200`},
		{"nothing", `{"url":"URL"}`, "text/plain", "", `"headers":{"content-type":"text/plain","x-request-id":"r1"},"status":200`},
		{"torn JSON", `{"url":"URL"}`, "text/plain", `{"a":`, `"body":"{\"a\":","headers":{"content-type":"text/plain","x-request-id":"r1"},"status":200`},
		{"bytes", `{"url":"URL"}`, "x/y", "\xff\xfe", `"body":"�","headers":{"content-type":"x/y","x-request-id":"r1"},"status":200`},
		{"a header more", `{"url":"URL","keep":["X-Job"]}`, "x/y", "", `"headers":{"content-type":"x/y","x-job":"j1","x-request-id":"r1"},"status":200`},
		{"too long", `{"url":"URL","max_output":3}`, "x/y", "12345", `"body":"123","headers":{"content-type":"x/y","x-request-id":"r1"},"status":200,"truncated":true`},
		{"JSON too long", `{"url":"URL","max_output":3}`, "x/y", "123456", `"body":"123","headers":{"content-type":"x/y","x-request-id":"r1"},"status":200,"truncated":true`},
		{"much too long", `{"url":"URL","max_output":"1KiB"}`, "x/y", long, `"body":"` + strings.Repeat("é", 512) + `","headers":{"content-type":"x/y","x-request-id":"r1"},"status":200,"truncated":true`},
		{"nothing is kept", `{"url":"URL","max_output":0}`, "x/y", "private", `"headers":{"content-type":"x/y","x-request-id":"r1"},"status":200,"truncated":true`},
		{"nothing to keep of a HEAD", `{"url":"URL","method":"HEAD"}`, "x/y", "", `"headers":{"content-type":"x/y","x-request-id":"r1"},"status":200`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newService(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.mediaType)
				w.Header().Set("X-Job", "j1")
				w.Header().Set("X-Request-Id", "r1")
				w.Header().Set("Set-Cookie", "session=1")
				_, _ = io.WriteString(w, tt.answer)
			})
			result, err := one(t, tt.request, s.URL).Run(t.Context(), run(""))
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(result.Output)
			if err != nil || string(got) != "{"+tt.want+"}" {
				t.Errorf("%v\ngot  %.300s\nwant {%.300s}", err, got, tt.want)
			}
		})
	}
}

// A failure says what was answered, in one line.
func TestComplaint(t *testing.T) {
	s := newService(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			w.Header().Set("Location", "https://user:canary-user@elsewhere.example/hook?token=canary-token#f")
			w.WriteHeader(http.StatusPermanentRedirect)
		case "/bad":
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = io.WriteString(w, "{\"error\":\n  \"no\tsuch \x1b[31morder\"}"+strings.Repeat("x", 2000))
		}
	})
	const said = `{"error": "no such [31morder"}`
	for path, want := range map[string]string{
		"/moved": ": answered 308 Permanent Redirect: redirects are not followed, this one to https://elsewhere.example/hook",
		"/bad":   ": answered 422 Unprocessable Entity: " + said + strings.Repeat("x", maxComplaint-len(said)) + "…",
	} {
		if _, err := one(t, `{"url":"URL`+path+`"}`, s.URL).Run(t.Context(), run("")); err == nil || err.Error() != s.URL+want {
			t.Errorf("got  %v\nwant %s", err, s.URL+want)
		}
	}
}

// An answer that breaks off is none: the service may have died over it.
func TestAnswerBreaksOff(t *testing.T) {
	s := newService(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half of")
	})
	_, err := one(t, `{"url":"URL"}`, s.URL).Run(t.Context(), run(""))
	if kind, _ := kindOf(err); kind != "retryable" || !strings.Contains(err.Error(), "answered 200 OK, and broke off: unexpected EOF") {
		t.Errorf("%s: %v", kind, err)
	}
}
