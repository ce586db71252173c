package e2e

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/api"
)

// client keeps its connections, as senders do.
func newClient() *http.Client {
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
}

// answer is what a webhook answers.
type answer struct {
	Code       int         `json:"-"`
	Header     http.Header `json:"-"`
	EventID    string      `json:"event_id"`
	EventType  string      `json:"event_type"`
	Triggered  int         `json:"workflows_triggered"`
	Duplicate  bool        `json:"duplicate"`
	Detail     string      `json:"detail"`
	StatusText string      `json:"-"`
}

// sign is how GitHub signs.
func sign(body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// send posts a webhook of GitHub's, signed as it should be.
func send(ctx context.Context, c *http.Client, url, id string, body []byte) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Hub-Signature-256", sign(body))
	r.Header.Set("X-GitHub-Event", "push")
	r.Header.Set("X-GitHub-Delivery", id)
	return do(c, r)
}

func do(c *http.Client, r *http.Request) (a answer, err error) {
	resp, err := c.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err // not an answer: it did not come whole
	}
	a.Code, a.Header = resp.StatusCode, resp.Header
	if err := json.Unmarshal(text, &a); err != nil {
		return answer{}, fmt.Errorf("answer %d %.200q: %w", resp.StatusCode, text, err)
	}
	return a, nil
}

// mustSend is a send that gets an answer.
func (l *life) mustSend(t *testing.T, hook, id string, body string) answer {
	t.Helper()
	a, err := send(t.Context(), http.DefaultClient, l.public+"/webhooks/"+hook, id, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// get reads from the admin address; it tells the status.
func (l *life) get(t *testing.T, path string, into any) int {
	t.Helper()
	resp, err := http.Get(l.admin + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if into == nil {
		return resp.StatusCode
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v: %.300q", path, err, text)
	}
	return resp.StatusCode
}

func (l *life) status(t *testing.T) (r api.StatusReport) {
	t.Helper()
	l.get(t, "/api/v1/status", &r)
	return r
}

// settle waits until every delivery has ended.
func (l *life) settle(t *testing.T, limit time.Duration) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for ; ; time.Sleep(20 * time.Millisecond) {
		open := l.status(t).Store.Pending
		if open == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d deliveries have not ended after %s", open, limit)
		}
	}
}

// deliveries lists all deliveries of a route.
func (l *life) deliveries(t *testing.T, route string) (all []api.Delivery) {
	t.Helper()
	q := url.Values{"route": {route}, "limit": {"1000"}}
	for {
		var page struct {
			Deliveries []api.Delivery `json:"deliveries"`
			Next       string         `json:"next"`
		}
		if code := l.get(t, "/api/v1/deliveries?"+q.Encode(), &page); code != http.StatusOK {
			t.Fatalf("deliveries: %d", code)
		}
		all = append(all, page.Deliveries...)
		if page.Next == "" {
			return all
		}
		q.Set("cursor", page.Next)
	}
}

// undisturbed checks that every delivery of a route succeeded, and with its
// first attempt: whatever happened used none up.
func (l *life) undisturbed(t *testing.T, route string) int {
	t.Helper()
	all := l.deliveries(t, route)
	wrong := 0
	for _, d := range all {
		if d.State != "succeeded" || d.Attempt != 1 {
			if wrong++; wrong <= 3 {
				t.Errorf("route %s: delivery %s: %s after %d attempts (%+v)", route, d.ID, d.State, d.Attempt, d.Last)
			}
		}
	}
	if wrong > 0 {
		t.Errorf("route %s: %d of %d deliveries were disturbed", route, wrong, len(all))
	}
	return len(all)
}

// gauge reads one metric.
func (l *life) gauge(t *testing.T, name string) float64 {
	t.Helper()
	resp, err := http.Get(l.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// reload asks for one and waits; problems are empty when it was taken.
func (l *life) reload(t *testing.T) (code int, problems []api.ConfigProblem) {
	t.Helper()
	resp, err := http.Post(l.admin+"/-/reload", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out struct {
		Problems []api.ConfigProblem `json:"problems"`
		Errors   []api.ConfigProblem `json:"errors"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, append(out.Problems, out.Errors...)
}
