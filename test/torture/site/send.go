package site

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/event-gateway/gateway/gateway/api"
)

// Answer is what the webhook answers.
type Answer struct {
	Code      int    `json:"-"`
	EventID   string `json:"event_id"`
	Duplicate bool   `json:"duplicate"`
	Detail    string `json:"detail"`
	// RetryAfter is the header's.
	RetryAfter string `json:"-"`
}

// NewClient makes a client that keeps its connections, as senders do.
func NewClient() *http.Client {
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
}

// Send posts an event, signed as it should be.
func (l *Life) Send(ctx context.Context, c *http.Client, id string, body []byte) (a Answer, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.Public+"/webhooks/in", bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	mac := hmac.New(sha256.New, []byte(Secret))
	mac.Write(body)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	r.Header.Set("X-GitHub-Event", "push")
	r.Header.Set("X-GitHub-Delivery", id)
	resp, err := c.Do(r)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return a, err // not an answer: it did not come whole
	}
	a.Code, a.RetryAfter = resp.StatusCode, resp.Header.Get("Retry-After")
	if err := json.Unmarshal(text, &a); err != nil {
		return a, fmt.Errorf("answer %d %.200q: %w", resp.StatusCode, text, err)
	}
	return a, nil
}

// Get reads JSON from the admin address.
func (l *Life) Get(path string, into any) error {
	resp, err := http.Get(l.Admin + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: answered %d", path, resp.StatusCode)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

// Settle waits until every delivery has ended.
func (l *Life) Settle(limit time.Duration) error {
	for deadline := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		var status api.StatusReport
		if err := l.Get("/api/v1/status", &status); err != nil {
			return err
		}
		if status.Store.Pending == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d deliveries have not ended after %s, though nothing is in their way", status.Store.Pending, limit)
		}
	}
}

// Load is many senders at once. Each sends its events one after another, and
// one event until it is accepted, as providers do. It knows what was promised.
type Load struct {
	site   *Site
	client *http.Client
	ctx    context.Context
	cancel context.CancelFunc
	ended  sync.WaitGroup
	// Rest is what a sender waits between two events.
	Rest time.Duration
	// size of the bodies, at least.
	size int

	mu    sync.Mutex
	acked map[string]time.Time // event ids, and when the accepted request was sent
	codes map[int]int
}

// NewLoad makes a load that sends nothing yet, of bodies that have some size.
func NewLoad(s *Site, size int) *Load {
	return &Load{site: s, size: size, client: NewClient(), cancel: func() {}, acked: map[string]time.Time{}, codes: map[int]int{}}
}

// Go begins to send; Stop ends it.
func (l *Load) Go(senders int) {
	ctx, cancel := context.WithCancel(context.Background())
	l.ctx, l.cancel = ctx, cancel
	for i := range senders {
		l.ended.Go(func() {
			for n := 1; ctx.Err() == nil; n++ {
				l.Event(ctx, fmt.Sprint("sender-", i), n)
				time.Sleep(l.Rest)
			}
		})
	}
}

// Running tells whether it sends.
func (l *Load) Running() bool { return l.ctx != nil && l.ctx.Err() == nil }

// Event sends one event until it is accepted, or until ctx ends; a request
// under way then gets its answer.
func (l *Load) Event(ctx context.Context, sender string, n int) {
	id := fmt.Sprintf("%s-%d", sender, n)
	body := Body(sender, n, l.size)
	for ctx.Err() == nil {
		if life := l.site.Current(); life != nil {
			sent := time.Now()
			a, err := life.Send(context.WithoutCancel(ctx), l.client, id, body)
			if l.note(a, err, sent) {
				return
			}
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// Body is that of a sender's n-th event. Every second one is such that it cannot be
// compressed: the store keeps those elsewhere.
func Body(sender string, n, size int) []byte {
	body := fmt.Appendf(nil, `{"sender":%q,"n":%d,"rest":"`, sender, n)
	random := rand.New(rand.NewPCG(uint64(n), uint64(len(sender))))
	for len(body) < size {
		letter := n + len(body)
		if n%2 == 1 {
			letter = random.IntN(26)
		}
		body = append(body, byte('a'+letter%26))
	}
	return append(body, `"}`...)
}

func (l *Load) note(a Answer, err error, sent time.Time) (accepted bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.codes[0]++
		return false
	}
	l.codes[a.Code]++
	if a.Code != http.StatusAccepted {
		return false
	}
	l.acked[a.EventID] = sent
	return true
}

// Acked is how many events were accepted until now.
func (l *Load) Acked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// Count is how often a code was answered; 0 is no answer.
func (l *Load) Count(code int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.codes[code]
}

// Codes are those that were answered.
func (l *Load) Codes() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.codes))
}

// Stop waits for the answers under way and returns what was accepted.
func (l *Load) Stop() map[string]time.Time {
	l.cancel()
	l.ended.Wait()
	l.client.CloseIdleConnections()
	return l.acked
}
