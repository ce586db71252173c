package api

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"go.uber.org/zap"
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

// guard keeps out what a person's own browser may be tricked into sending,
// and answers a panic instead of cutting the connection.
func (s *server) guard(next http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, problem(http.StatusForbidden, "another web site may not change anything here"))
	}))
	next = cross.Handler(next)
	hosts := newHosts(s.Admin)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.recovered(w, r)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		// Over TLS a name that was rebound is not in the certificate.
		if r.TLS == nil && !hosts.allow(r.Host) {
			writeProblem(w, problem(http.StatusForbidden, "host %q is not the admin listener's; use its address", r.Host))
			return
		}
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

// hosts are the names under which the admin listener may be called. A web
// site that points its own name at this address (DNS rebinding) is same-origin
// to a browser and sends that name.
type hosts struct {
	name string
	// anyIP: the listener has every address, so the name may be any address; a
	// rebinding site needs a name that is none.
	anyIP bool
}

func newHosts(admin string) hosts {
	name := hostname(admin)
	ip, err := netip.ParseAddr(name)
	return hosts{name: name, anyIP: name == "" || err == nil && ip.IsUnspecified()}
}

func (h hosts) allow(hostport string) bool {
	name := hostname(hostport)
	if name == "" {
		return false
	}
	if name == "localhost" || name == h.name {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && (ip.IsLoopback() || h.anyIP)
}

// hostname is the host of a host:port, in lower case, without brackets.
func hostname(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	}
	return strings.ToLower(host)
}

// explainMisses makes problems of what mux itself answers: 404 and 405.
func explainMisses(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
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
