package handshake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// What may stand in the strings of an answer.
const (
	theValue   = "{challenge}"
	hmacHex    = "{hmac_hex}"
	hmacBase64 = "{hmac_base64}"
)

// signs tells whether an answer needs the secret.
func signs(answer any) bool { return mentions(answer, hmacHex) || mentions(answer, hmacBase64) }

// takesUp tells whether an answer depends on the question.
func takesUp(answer any) bool { return signs(answer) || mentions(answer, theValue) }

func mentions(answer any, what string) bool {
	switch a := answer.(type) {
	case string:
		return strings.Contains(a, what)
	case map[string]any:
		for _, v := range a {
			if mentions(v, what) {
				return true
			}
		}
	case []any:
		for _, v := range a {
			if mentions(v, what) {
				return true
			}
		}
	}
	return false
}

func sign(secret []byte, value string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(value))
	return mac.Sum(nil)
}

// filler puts values where an answer wants them.
type filler struct {
	value string
	sum   []byte
}

func (f filler) reply(status int, answer any) (*Reply, error) {
	if text, ok := answer.(string); ok {
		return &Reply{Status: status, ContentType: "text/plain; charset=utf-8", Body: []byte(f.text(text))}, nil
	}
	body, err := json.Marshal(f.fill(answer))
	if err != nil {
		return nil, fmt.Errorf("handshake: answer: %w", err)
	}
	return &Reply{Status: status, ContentType: "application/json", Body: body}, nil
}

// text fills one string in one pass, so that nothing in the value is filled.
func (f filler) text(text string) string {
	return strings.NewReplacer(
		theValue, f.value, hmacHex, hex.EncodeToString(f.sum), hmacBase64, base64.StdEncoding.EncodeToString(f.sum),
	).Replace(text)
}

func (f filler) fill(answer any) any {
	switch a := answer.(type) {
	case string:
		return f.text(a)
	case map[string]any:
		filled := make(map[string]any, len(a))
		for k, v := range a {
			filled[k] = f.fill(v)
		}
		return filled
	case []any:
		filled := make([]any, len(a))
		for i, v := range a {
			filled[i] = f.fill(v)
		}
		return filled
	}
	return answer
}
