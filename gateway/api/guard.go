package api

import (
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/api/access"
)

// NewServer is a server for the admin listener with every bound set. What
// takes long, a reload, asks for more time itself.
func NewServer(h http.Handler, log *zap.Logger) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:           h,
		Protocols:         protocols,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		// OPTIONS * would be answered 200 without asking the handler.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     zap.NewStdLog(log),
	}
}

// guard lets in who may come in, and answers a panic instead of cutting the
// connection.
func (s *server) guard(next http.Handler) http.Handler {
	next = s.gate.Enter(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.recovered(w, r)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		w.Header().Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, s.MaxBody)
		next.ServeHTTP(w, r)
	})
}

func (s *server) recovered(w http.ResponseWriter, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler {
		panic(v)
	}
	s.Log.Error("admin request panicked", zap.String("method", r.Method), zap.String("path", r.URL.Path),
		zap.Any("panic", v), zap.Stack("stack"))
	writeProblem(w, problem(http.StatusInternalServerError, "something went wrong inside the gateway; its log has the detail"))
}

// explainMisses makes problems of what mux itself answers: 404 and 405.
func (s *server) explainMisses(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		if access.Of(r).Right == access.Anybody && !s.gate.Let(w, r, access.Read) {
			return // what is not there is nobody's business either
		}
		miss := &verdict{header: http.Header{}}
		h.ServeHTTP(miss, r)
		if miss.code == http.StatusMethodNotAllowed {
			allow := miss.header.Get("Allow")
			w.Header().Set("Allow", allow)
			writeProblem(w, problem(miss.code, "%s allows %s", r.URL.Path, allow))
			return
		}
		writeProblem(w, problem(http.StatusNotFound, "nothing is at %s", r.URL.Path))
	})
}

// verdict keeps the code and the headers of an answer and drops its body.
type verdict struct {
	header http.Header
	code   int
}

func (v *verdict) Header() http.Header         { return v.header }
func (v *verdict) WriteHeader(code int)        { v.code = code }
func (v *verdict) Write(p []byte) (int, error) { return len(p), nil }
