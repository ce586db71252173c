package verify

import (
	"crypto/hmac"
	"net/http"
	"time"
)

// Sign makes the headers that a sender under this scheme would send with body.
// The id is used where the scheme has one.
func Sign(s Scheme, secret, body []byte, now time.Time, id string) (http.Header, error) {
	h := http.Header{}
	if s.ID != "" && id != "" {
		h.Set(s.ID, id)
	}
	if s.None {
		return h, nil
	}
	v, err := build(s, []Secret{{Value: secret}})
	if err != nil {
		return nil, err
	}
	value, err := s.key(secret)
	if err != nil {
		return nil, err
	}
	r := Result{ID: id, Timestamp: formatTime(now, s.Timestamp.Unit)}
	signature := s.Prefix + v.codec.encode(v.sign(&state{mac: hmac.New(newHash(s.Hash), value)}, &r, body))
	switch {
	case s.Timestamp.Item != "":
		signature = s.Timestamp.Item + r.Timestamp + s.Separator + signature
	case s.Timestamp.Header != "":
		h.Set(s.Timestamp.Header, r.Timestamp)
	}
	h.Set(s.Header, signature)
	return h, nil
}
