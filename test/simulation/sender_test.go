package simulation

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"time"

	"github.com/event-gateway/gateway/gateway/store"
)

// message is something that a sender wants to say, perhaps more than once.
type message struct {
	hook string // gh, own or api
	id   string
	kind string // type of the event
	body []byte
}

// sending is one attempt to say it.
type sending struct {
	message
	bad      string // what is wrong with it, if anything
	at       time.Time
	answered time.Time
	// status of the answer; zero: there was none.
	status    int
	eventID   string
	duplicate bool
	// unsure: it was answered by a gateway whose store had failed.
	unsure bool
}

func (s *sending) source() string {
	if s.hook == "api" {
		return "/api"
	}
	return "/webhooks/" + s.hook
}

// send sends a message to the gateway, if one listens.
func (w *world) send(m message, bad string) {
	s := &sending{message: m, bad: bad, at: time.Now()}
	w.mu.Lock()
	w.sent = append(w.sent, s)
	if bad == "" {
		w.legit[s.source()+" "+s.id] = append(w.legit[s.source()+" "+s.id], s)
	}
	w.mu.Unlock()
	in := w.current.Load()
	if in == nil || in.dead.Load() || in.closed.Load() {
		return // connection refused
	}
	in.serving.Add(1)
	w.work.Go(func() {
		defer in.serving.Done()
		answer := httptest.NewRecorder()
		if m.hook == "api" {
			in.api.ServeHTTP(answer, s.submission())
		} else {
			in.handler.ServeHTTP(answer, s.request(time.Now()))
		}
		w.hear(in, s, answer)
	})
}

// hear takes the answer, if the gateway lived to give it.
func (w *world) hear(in *instance, s *sending, answer *httptest.ResponseRecorder) {
	if in.dead.Load() {
		return
	}
	var said struct {
		EventID   string `json:"event_id"`
		Duplicate bool   `json:"duplicate"`
	}
	_ = json.Unmarshal(answer.Body.Bytes(), &said) // a problem has none
	w.mu.Lock()
	s.answered, s.status, s.eventID, s.duplicate = time.Now(), answer.Code, said.EventID, said.Duplicate
	select {
	case <-in.store.Failed():
		s.unsure = true
	default:
	}
	w.mu.Unlock()
	w.note("%s %s is answered %d, duplicate %t", s.hook, s.id, s.status, s.duplicate)
}

// request makes the HTTP request, signed as the provider does, or not quite.
func (s *sending) request(now time.Time) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/webhooks/"+s.hook, bytes.NewReader(s.body))
	r.Header.Set("Content-Type", "application/json")
	signed, header := s.body, "X-Hub-Signature-256"
	secret := githubSecret
	if s.hook == "gh" {
		r.Header.Set("X-GitHub-Event", s.kind[len("github."):])
		r.Header.Set("X-GitHub-Delivery", s.id)
	} else {
		switch s.bad {
		case "old":
			now = now.Add(-tolerance - 2*time.Second)
		case "early":
			now = now.Add(tolerance + 2*time.Second)
		}
		at := strconv.FormatInt(now.Unix(), 10)
		r.Header.Set("X-Id", s.id)
		r.Header.Set("X-Timestamp", at)
		signed, header, secret = []byte(s.id+"."+at+"."+string(s.body)), "X-Signature", ownSecret
	}
	switch s.bad {
	case "other secret":
		secret += "x"
	case "other body":
		signed = append(slices.Clone(signed), ' ')
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(signed)
	signature := hex.EncodeToString(mac.Sum(nil))
	if s.hook == "gh" {
		signature = "sha256=" + signature
	}
	switch s.bad {
	case "unsigned":
	case "cut":
		r.Header.Set(header, signature[:len(signature)-2])
	default:
		r.Header.Set(header, signature)
	}
	return r
}

// submission is the same over the admin API, where nothing is signed.
func (s *sending) submission() *http.Request {
	body, err := json.Marshal(map[string]any{"type": s.kind, "id": s.id, "data": json.RawMessage(s.body)})
	if err != nil {
		panic(err)
	}
	return admin("/api/v1/events", body)
}

func admin(path string, body []byte) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:9090"+path, bytes.NewReader(body))
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// person does something to one of the deliveries in some states: the n-th, as
// often round as it takes.
func (w *world) person(do string, n int, states ...store.State) {
	in := w.current.Load()
	if in == nil || in.over() {
		return
	}
	list, err := in.store.Deliveries(w.background(), store.DeliveryFilter{States: states, Page: store.Page{Limit: 1000, OldestFirst: true}})
	if err != nil || len(list) == 0 {
		return
	}
	d := list[n%len(list)]
	w.note("a person: %s %s", do, d.ID())
	w.model.act(d.ID(), do)
	in.serving.Add(1)
	w.work.Go(func() {
		defer in.serving.Done()
		answer := httptest.NewRecorder()
		var body []byte
		if do == "answer" {
			body = []byte(`{"yes":true}`)
		}
		in.api.ServeHTTP(answer, admin(fmt.Sprintf("/api/v1/deliveries/%s/%s", d.ID(), do), body))
		if !in.dead.Load() && answer.Code >= 500 && answer.Code != http.StatusServiceUnavailable && !in.over() {
			w.fail("a person is answered %d: %s", answer.Code, answer.Body)
		}
	})
}
