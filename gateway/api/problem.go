package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/api/ask"
	"github.com/event-gateway/gateway/gateway/store"
)

// Problem is an error as RFC 9457 has it.
type Problem = ask.Problem

func problem(status int, format string, args ...any) *Problem {
	return ask.Refuse(status, format, args...)
}

// retryAfter is what senders are told when only time helps, in seconds.
const retryAfter = 5

// asProblem translates what the backend says. What it does not know is the
// gateway's own fault: the text goes to the log and not to the caller.
func asProblem(err error) (p *Problem, known bool) {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &p):
	case errors.As(err, &tooLarge):
		p = problem(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes", tooLarge.Limit)
	case errors.Is(err, store.ErrNotFound):
		p = problem(http.StatusNotFound, "no such event or delivery; it may have been retained out")
	case errors.Is(err, store.ErrConflict):
		p = problem(http.StatusConflict, "an event with this id and another body came before; this one was kept as evidence and starts nothing")
	case errors.Is(err, store.ErrFull):
		p = problem(http.StatusServiceUnavailable, "the store's disk is nearly full")
	case errors.Is(err, store.ErrBacklog):
		p = problem(http.StatusServiceUnavailable, "too many deliveries wait")
	case errors.Is(err, store.ErrFailed):
		p = problem(http.StatusServiceUnavailable, "the store failed; the gateway must be restarted")
	default:
		return problem(http.StatusInternalServerError, "something went wrong inside the gateway; its log has the detail"), false
	}
	if p.Status == http.StatusServiceUnavailable && p.RetryAfter == 0 {
		p.RetryAfter = retryAfter
	}
	return p, true
}

// answer makes a handler of an endpoint.
func (s *server) answer(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out, err := h(r)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		if out.code == 0 {
			out.code = http.StatusOK
		}
		writeJSON(w, "application/json", out.code, out.body)
	})
}

func (s *server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody is there to read it
	}
	p, known := asProblem(err)
	if !known {
		s.Log.Error("admin request failed", zap.String("method", r.Method), zap.String("path", r.URL.Path), zap.Error(err))
	}
	writeProblem(w, p)
}

// refuseEntry answers who is not let in.
func refuseEntry(w http.ResponseWriter, status int, detail string) {
	writeProblem(w, problem(status, "%s", detail))
}

func writeProblem(w http.ResponseWriter, p *Problem) {
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(p.RetryAfter))
	}
	writeJSON(w, "application/problem+json", p.Status, p)
}

func writeJSON(w http.ResponseWriter, contentType string, code int, body any) {
	text, err := json.Marshal(body)
	if err != nil { // our own types: cannot happen but for a broken input in a store
		code, text = http.StatusInternalServerError, []byte(`{"title":"Internal Server Error","status":500}`)
		contentType = "application/problem+json"
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(code)
	_, _ = w.Write(append(text, '\n')) // a reader that went away is its own loss
}
