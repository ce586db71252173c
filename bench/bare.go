//go:build linux

package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// ready is the line by which a server tells where it listens; the gateway logs
// the same.
type ready struct {
	Message string `json:"msg"`
	Listen  string `json:"listen"`
	Admin   string `json:"admin"`
}

const readyMessage = "ready"

// serveBare is the measure of all things: the least that net/http can do with
// a signed request.
func serveBare(ctx context.Context, out io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(ready{Message: readyMessage, Listen: l.Addr().String()}); err != nil {
		return err
	}
	s := &http.Server{Handler: http.HandlerFunc(bare), ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = s.Close() })
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func bare(w http.ResponseWriter, r *http.Request) {
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		http.Error(w, "body", http.StatusBadRequest)
		return
	}
	if !signed(body, r.Header.Get(signatureHeader)) {
		http.Error(w, "signature", http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"accepted"}`)
}

func signed(body []byte, header string) bool {
	given, err := hex.DecodeString(strings.TrimPrefix(header, signaturePrefix))
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hmac.Equal(given, mac.Sum(nil))
}
