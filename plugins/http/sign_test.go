package main

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// The vectors are those of the libraries at github.com/standard-webhooks, and
// what follows from them: two keys, and no body.
func TestVectors(t *testing.T) {
	const other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
	const id, at, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, `{"test": 2432232314}`
	tests := []struct {
		name     string
		secrets  []secret
		id       string
		at       int64
		body     string
		expected string
	}{
		{"all libraries", []secret{vectorSecret}, id, at, body, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
		{"the library for Rust", []secret{other}, "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1649367553,
			`{"email":"test@example.com","username":"test_user"}`, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="},
		{"a new secret beside the old one", []secret{vectorSecret, other}, id, at, body,
			"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,78nXHjpFP0tVJQW5D0SBwmVyyW87BV/rL6MgfM/Bw44="},
		{"no body", []secret{vectorSecret}, id, at, "", "v1,v48jdbgvh29KJz2Qc+ghw8G6vG3nAKnujWBg8oM/62A="},
		{"without the prefix", []secret{secret(vectorSecret[len(secretPrefix):])}, id, at, body, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var keys [][]byte
			for _, s := range tt.secrets {
				key, err := signingKey(s)
				if err != nil {
					t.Fatal(err)
				}
				keys = append(keys, key)
			}
			h := http.Header{}
			sign(h, keys, tt.id, time.Unix(tt.at, 0), []byte(tt.body))
			if got := h.Get("webhook-signature"); got != tt.expected {
				t.Errorf("got %s\nwant %s", got, tt.expected)
			}
		})
	}
}

// A service hears the id, the time and the signature of just this request.
func TestSignedRequest(t *testing.T) {
	s := newService(t, nil)
	before := time.Now().Unix()
	if _, err := one(t, `{"url":"URL","secrets":["`+vectorSecret+`"]}`, s.URL).Run(t.Context(), run(`{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	r, body := s.last(t)
	key, err := signingKey(vectorSecret)
	if err != nil {
		t.Fatal(err)
	}
	var at time.Time
	for unix := before; unix <= time.Now().Unix(); unix++ {
		want := http.Header{}
		sign(want, [][]byte{key}, "0saevzjxg0001", time.Unix(unix, 0), []byte(body))
		if r.Header.Get("webhook-signature") == want.Get("webhook-signature") && r.Header.Get("webhook-timestamp") == want.Get("webhook-timestamp") {
			at = time.Unix(unix, 0)
		}
	}
	if at.IsZero() || r.Header.Get("webhook-id") != "0saevzjxg0001" || body != `{"a":1}` {
		t.Errorf("%v %s", r.Header, body)
	}
}

func TestSigningKey(t *testing.T) {
	for s, want := range map[secret]string{
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLQ==": "holds 22 bytes, want 24 to 64",
		"":                                       "holds 0 bytes, want 24 to 64",
		"whsec_" + secret(strings.Repeat("AAAA", 22)):       "holds 66 bytes, want 24 to 64",
		"a sentence of plain text, as some have for secret": "is not whsec_ and base64",
		"whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbf=": "is a private key of Ed25519: signatures are made with whsec_ secrets",
	} {
		if _, err := signingKey(s); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", string(s), err, want)
		}
	}
}
