package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// secret is a text of the configuration that never prints.
type secret string

const redacted = "[redacted]"

func (secret) String() string { return redacted }

// GoString keeps %#v from printing it.
func (secret) GoString() string { return redacted }

// MarshalText keeps encoders from writing it; slog is one of them.
func (secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

const secretPrefix = "whsec_"

// signingKey is the key in a secret of Standard Webhooks: base64 of 24 to 64
// bytes, as a rule behind whsec_.
func signingKey(s secret) ([]byte, error) {
	if strings.HasPrefix(string(s), "whsk_") {
		return nil, errors.New("is a private key of Ed25519: signatures are made with whsec_ secrets")
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(s), secretPrefix))
	if err != nil {
		return nil, errors.New("is not whsec_ and base64") // the decoder's own words quote it
	}
	if len(key) < 24 || len(key) > 64 {
		return nil, fmt.Errorf("holds %d bytes, want 24 to 64", len(key))
	}
	return key, nil
}

// sign signs as Standard Webhooks says, once for every key: a receiver takes
// the request when any of the signatures is right, so secrets can change
// without a gap.
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
func sign(h http.Header, keys [][]byte, id string, now time.Time, body []byte) {
	if len(keys) == 0 {
		return
	}
	at := strconv.FormatInt(now.Unix(), 10)
	signatures := make([]string, len(keys))
	for i, key := range keys {
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", at)
	h.Set("Webhook-Signature", strings.Join(signatures, " "))
}
