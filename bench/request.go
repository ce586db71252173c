//go:build linux

package main

import (
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"fmt"
	"hash"
	"math/rand/v2"
	"strconv"
	"strings"
)

const (
	bodySize = 1024
	// The last block of SHA-256 holds what differs between bodies, so that
	// signing one costs five blocks and not twenty.
	tailSize = sha256.BlockSize
	headSize = bodySize - tailSize

	hookPath = "/webhooks/bench"
	secret   = "a secret that only the benchmark has"
)

// Headers of GitHub's webhooks.
const (
	signatureHeader = "X-Hub-Signature-256"
	signaturePrefix = "sha256="
)

// writer makes requests, each with an id and a body that no other has, by
// patching the few bytes that differ. It isn't safe for concurrent use.
type writer struct {
	// kinds are requests whose bodies have different texts.
	kinds []request
	// Where to patch them.
	id, signature, tail int
	count               uint64

	inner, outer hash.Hash
	outerState   []byte
	sum          [sha256.Size]byte
}

type request struct {
	text []byte
	// inner is the state of SHA-256 before the tail.
	inner []byte
}

// newWriter makes a writer whose ids and bodies begin with nonce, of some kinds.
func newWriter(nonce uint64, kinds int) *writer {
	w := &writer{kinds: make([]request, kinds)}
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\nX-GitHub-Event: push\r\nX-GitHub-Delivery: ", hookPath, bodySize)
	w.id = len(head)
	head += fmt.Sprintf("%016x-%016x\r\n%s: %s", nonce, 0, signatureHeader, signaturePrefix)
	w.signature = len(head)
	head += strings.Repeat("0", 2*sha256.Size) + "\r\n\r\n"
	w.tail = len(head) + headSize
	for i := range w.kinds {
		body := newBody(nonce)
		w.kinds[i].text = append([]byte(head), body...)
		w.inner, w.kinds[i].inner = prepared(0x36, body[:headSize])
	}
	w.outer, w.outerState = prepared(0x5c, nil)
	return w
}

// newBody is JSON as senders write it: a little structure and much text.
func newBody(nonce uint64) []byte {
	const start = `{"ref":"refs/heads/main","repository":{"full_name":"acme/shop"},"text":"`
	body := []byte(start)
	for len(body) < headSize {
		body = append(body, byte('a'+rand.IntN(26)))
	}
	return fmt.Appendf(body, `","n":"%039x%016x"}`, nonce, 0)
}

// prepared is SHA-256 as HMAC begins it (RFC 2104): over the padded secret and
// what always follows.
func prepared(pad byte, then []byte) (hash.Hash, []byte) {
	key := make([]byte, sha256.BlockSize)
	copy(key, secret)
	for i := range key {
		key[i] ^= pad
	}
	h := sha256.New()
	h.Write(key)
	h.Write(then)
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		panic("bench: SHA-256 has a state: " + err.Error())
	}
	return h, state
}

// next is one more request, valid until the next call.
func (w *writer) next() []byte {
	w.count++
	r := &w.kinds[w.count%uint64(len(w.kinds))]
	var digits [16]byte
	number := strconv.AppendUint(digits[:0], w.count, 16)
	copy(r.text[w.id+33-len(number):], number)
	copy(r.text[len(r.text)-2-len(number):], number)

	sum := after(w.inner, r.inner, r.text[w.tail:], w.sum[:0])
	sum = after(w.outer, w.outerState, sum, w.sum[:0])
	hex.Encode(r.text[w.signature:], sum)
	return r.text
}

// after appends to out the digest of what a state has seen and then text.
func after(h hash.Hash, state, text, out []byte) []byte {
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
		panic("bench: SHA-256 takes its own state: " + err.Error())
	}
	h.Write(text)
	return h.Sum(out)
}
