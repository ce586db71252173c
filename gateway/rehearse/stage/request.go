package stage

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/intake"
	"github.com/event-gateway/gateway/gateway/rehearse/script"
	"github.com/event-gateway/gateway/gateway/webhook"
)

// Unsigned is a request that is to be signed as a webhook's sender would.
type Unsigned struct {
	// Webhook by its name; empty: whichever listens at the target.
	Webhook, Target string
	// Event and ID go where the scheme has headers for them.
	Event, ID string
	// Recorded: the headers are those of a request that was signed before.
	Recorded bool
	Header   http.Header
	Body     []byte
	At       time.Time
}

// Signed is a request as its sender sends it.
type Signed struct {
	// Host is the one that was signed, where the URL is.
	Target, Host string
	Header       http.Header
	Body         []byte
}

// sent is a request as it arrives.
type sent struct {
	Signed
	method string
}

func (s *Stage) request(ctx context.Context, in *intake.Intake, c *script.Cast, out *Outcome) error {
	from := c.Case.Request
	msg, err := s.sent(c)
	if err != nil {
		return err
	}
	r, err := msg.http(ctx, from.From)
	if err != nil {
		return err
	}
	before, _ := s.Webhooks.StatusAt(r.URL.Path)
	handler := &webhook.Handler{Table: func() *webhook.Table { return s.Webhooks }, Intake: in, Log: zap.NewNop(), Now: func() time.Time { return c.At }}
	w := &answer{header: http.Header{}}
	handler.ServeHTTP(w, r)
	out.Status, out.Answer = cmp.Or(w.status, http.StatusOK), w.body.Bytes()
	if after, ok := s.Webhooks.StatusAt(r.URL.Path); ok && out.Status >= http.StatusBadRequest {
		for reason, n := range after.Rejected {
			if n > before.Rejected[reason] {
				out.Reason = reason
			}
		}
	}
	return nil
}

// sent makes the request of a case. Headers of its own come last: one of them
// may break the signature.
func (s *Stage) sent(c *script.Cast) (*sent, error) {
	from := c.Case.Request
	out, err := unsigned(c)
	if err != nil {
		return nil, err
	}
	switch {
	case from.Sign == script.On || from.Sign == script.Usual && from.Webhook != "" && c.Recorded == nil:
		signed, err := s.Sign(Unsigned{
			Webhook: from.Webhook, Target: out.Target, Event: from.Event, ID: from.ID, Recorded: c.Recorded != nil,
			Header: out.Header, Body: out.Body, At: c.At,
		})
		if err != nil {
			return nil, err
		}
		out.Signed = *signed
	case out.Target == "":
		if out.Target, err = s.pathOf(from.Webhook); err != nil {
			return nil, err
		}
	}
	maps.Copy(out.Header, headers(from))
	return out, nil
}

// unsigned is a request as it was recorded, or as it is written down.
func unsigned(c *script.Cast) (out *sent, err error) {
	from := c.Case.Request
	if rec := c.Recorded; rec != nil {
		return &sent{
			Signed: Signed{Target: cmp.Or(from.Path, rec.Target), Host: cmp.Or(rec.Host, localhost), Header: rec.Header.Clone(), Body: rec.Body},
			method: cmp.Or(from.Method, rec.Method),
		}, nil
	}
	out = &sent{Signed: Signed{Target: from.Path, Host: localhost, Header: headers(from)}, method: cmp.Or(from.Method, http.MethodPost)}
	if out.Body, err = bodyOf(from.Body); err == nil && len(out.Body) > 0 && out.Header.Get("Content-Type") == "" {
		out.Header.Set("Content-Type", "application/json")
	}
	return out, err
}

const localhost = "localhost"

func headers(from *script.Request) http.Header {
	own := make(http.Header, len(from.Headers))
	for name, value := range from.Headers {
		own[textproto.CanonicalMIMEHeaderKey(name)] = []string{value}
	}
	return own
}

func (s *Stage) pathOf(name string) (string, error) {
	var names []string
	for _, w := range s.Webhooks.Status() {
		if w.Name == name {
			return w.Path, nil
		}
		names = append(names, w.Name)
	}
	return "", fmt.Errorf("no webhook is named %q%s", name, meant(name, names))
}

// bodyOf is a text as it is, and anything else as JSON.
func bodyOf(v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return []byte(v), nil
	}
	return json.Marshal(v)
}

func (m *sent) http(ctx context.Context, from script.Address) (*http.Request, error) {
	target, err := url.ParseRequestURI(m.Target)
	if err != nil {
		return nil, fmt.Errorf("%q is not a path with a query", m.Target)
	}
	remote := "127.0.0.1"
	if from.IsValid() {
		remote = from.String()
	}
	r := &http.Request{
		Method: m.method, URL: target, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: m.Header, Host: m.Host,
		Body: io.NopCloser(bytes.NewReader(m.Body)), ContentLength: int64(len(m.Body)),
		RemoteAddr: net.JoinHostPort(remote, "40000"), RequestURI: m.Target,
	}
	return r.WithContext(ctx), nil
}

// answer is what the handler writes.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(text []byte) (int, error) { return a.body.Write(text) }
