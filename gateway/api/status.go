package api

import (
	"net/http"
	"time"

	"github.com/event-gateway/gateway/gateway/api/access"
	"github.com/event-gateway/gateway/gateway/api/ask"
	"github.com/event-gateway/gateway/gateway/api/steer"
)

// StatusReport is the gateway at one moment. It is the one source for the
// status, the readiness, the metrics and the lists of what is configured.
// Counters count since the process started; sizes are in bytes.
type StatusReport struct {
	Version   string    `json:"version"`
	StartedAt time.Time `json:"started_at"`
	// Ready: events can be accepted. Reasons say why not.
	Ready     bool             `json:"ready"`
	Reasons   []string         `json:"reasons,omitempty"`
	Config    ConfigStatus     `json:"config"`
	Listeners []ListenerStatus `json:"listeners"`
	Store     StoreStatus      `json:"store"`
	Intake    IntakeStatus     `json:"intake"`
	Engines   []EngineStatus   `json:"engines"`
	Webhooks  []WebhookStatus  `json:"webhooks"`
	Schedules []ScheduleStatus `json:"schedules"`
	Routes    []RouteStatus    `json:"routes"`
}

// ListenerStatus is where the gateway listens: "public" or "admin".
type ListenerStatus struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	TLS     bool   `json:"tls"`
	// ClientCertificates: whoever calls must show one.
	ClientCertificates bool      `json:"client_certificates,omitempty"`
	CertificateExpires time.Time `json:"certificate_expires,omitzero"`
}

// ConfigStatus is the live configuration and the latest attempt to change it.
type ConfigStatus struct {
	File     string    `json:"file"`
	Revision string    `json:"revision"`
	LoadedAt time.Time `json:"loaded_at,omitzero"`
	// Accepted and Refused count reloads, the first load included.
	Accepted   uint64        `json:"accepted"`
	Refused    uint64        `json:"refused"`
	LastReload *ReloadStatus `json:"last_reload,omitempty"`
	// LastGood: the file was refused at the start, and is not in force; the
	// revision is that was live last.
	LastGood bool `json:"last_good,omitempty"`
	// Made is how many entries were made while the gateway ran, SetAside those
	// of them that are not in force.
	Made     int                `json:"made,omitempty"`
	SetAside []ask.OverlayEntry `json:"set_aside,omitempty"`
}

// ReloadStatus is the latest reload.
type ReloadStatus struct {
	At time.Time `json:"at"`
	OK bool      `json:"ok"`
	ReloadResult
}

// ReloadResult is what a reload came to.
type ReloadResult struct {
	// Revision is the live one afterwards: the old one when refused.
	Revision string `json:"revision"`
	// Changed: another revision is live than before.
	Changed bool `json:"changed"`
	// Differences, in names: "routes: +deploy -old ~page".
	Differences []string `json:"differences,omitempty"`
	// Problems; one that is an error refused the configuration.
	Problems []ConfigProblem `json:"problems,omitempty"`
}

// Refused tells whether an error kept the configuration from going live.
func (r ReloadResult) Refused() bool {
	for _, p := range r.Problems {
		if p.Severity != "warning" {
			return true
		}
	}
	return false
}

// ConfigProblem is one thing wrong in a configuration.
type ConfigProblem = ask.ConfigProblem

// StoreStatus is the store.
type StoreStatus struct {
	Path string `json:"path"`
	// Durability says in a few words what a commit survives.
	Durability string `json:"durability"`
	SizeBytes  uint64 `json:"size_bytes"`
	FreeBytes  uint64 `json:"free_bytes"`
	// Pending deliveries are those that have not ended.
	Pending       int64     `json:"pending"`
	OldestPending time.Time `json:"oldest_pending,omitzero"`
	// Refusing is why intake is refused; empty when it is not.
	Refusing string `json:"refusing,omitempty"`
	// Entries are events, Changes what became of deliveries; CommitSeconds is
	// the time that all commits took.
	Commits       uint64  `json:"commits"`
	Entries       uint64  `json:"entries"`
	Changes       uint64  `json:"changes"`
	CommitSeconds float64 `json:"commit_seconds"`
}

// IntakeStatus counts events from all sources by what became of them.
type IntakeStatus struct {
	Accepted   uint64 `json:"accepted"`
	Duplicates uint64 `json:"duplicates"`
	Conflicts  uint64 `json:"conflicts"`
	// Unrouted are those of Accepted that matched no route.
	Unrouted uint64 `json:"unrouted"`
	// Refused by the store: full, too many pending, failed.
	Refused uint64 `json:"refused"`
}

// EngineStatus is one engine's process.
type EngineStatus struct {
	Name string `json:"name"`
	// Up: runs can be started. State says in a word what it is doing.
	Up      bool   `json:"up"`
	State   string `json:"state"`
	PID     int    `json:"pid,omitempty"`
	Path    string `json:"path,omitempty"`
	Version string `json:"version,omitempty"`
	SHA256  string `json:"sha256,omitempty"`
	// ReturnedFrom is the checksum of the program that is in place now, and
	// crashed so often that the one before it runs again.
	ReturnedFrom string `json:"returned_from,omitempty"`
	// Pinned: the file says which checksum it must have.
	Pinned bool `json:"pinned,omitempty"`
	// Restarts and Stuck, processes that could not be ended, count since it was
	// first started.
	Restarts uint64 `json:"restarts"`
	Stuck    int    `json:"stuck,omitempty"`
	// InFlight are runs that have not ended, Waiting those of them that wait for
	// an answer and take no place.
	InFlight  int       `json:"in_flight"`
	Waiting   int       `json:"waiting,omitempty"`
	Limit     int       `json:"limit"`
	LastError string    `json:"last_error,omitempty"`
	StartedAt time.Time `json:"started_at,omitzero"`
}

// WebhookStatus is one webhook.
type WebhookStatus struct {
	Name   string `json:"name"`
	Path   string `json:"path"`
	Scheme string `json:"scheme"`
	// Insecure: anybody may send.
	Insecure   bool   `json:"insecure"`
	Accepted   uint64 `json:"accepted"`
	Duplicates uint64 `json:"duplicates"`
	// Handshakes are questions of providers that were answered.
	Handshakes uint64 `json:"handshakes,omitempty"`
	// Marked are accepted events that the schema has something against.
	Marked uint64 `json:"marked,omitempty"`
	// Rejected counts by reason: signature, stale, too_large, rate, ….
	Rejected map[string]uint64 `json:"rejected,omitempty"`
	LastAt   time.Time         `json:"last_at,omitzero"`
	// ClockSkew is how many seconds the time of the last signed request was
	// behind ours; absent where no time was signed.
	ClockSkew *float64 `json:"clock_skew_seconds,omitempty"`
	// LastSecret is the position of the secret that matched last: "0" is the
	// first in the file. Secrets are all that the webhook has.
	LastSecret string         `json:"last_secret,omitempty"`
	Secrets    []SecretStatus `json:"secrets,omitempty"`
}

// SecretStatus is one secret of a webhook, by its position in the file, never
// by its value. One that has not matched for long can be retired.
type SecretStatus struct {
	Position int       `json:"position"`
	LastAt   time.Time `json:"last_at,omitzero"`
	Until    time.Time `json:"until,omitzero"`
}

// ScheduleStatus is one schedule.
type ScheduleStatus = steer.Schedule

// RouteStatus is one route and what waits for it.
type RouteStatus struct {
	Name         string   `json:"name"`
	Origin       string   `json:"origin,omitempty"` // file or api; empty when it is gone
	Events       []string `json:"events"`
	Engine       string   `json:"engine"`
	Workflow     string   `json:"workflow"`
	Matched      uint64   `json:"matched"`
	FilterErrors uint64   `json:"filter_errors"`
	Pending      int      `json:"pending"`
	// Oldest is when the oldest open delivery was accepted.
	Oldest time.Time `json:"oldest,omitzero"`
	// Reason why deliveries wait though they are due: "engine down",
	// "route removed".
	Reason string `json:"reason,omitempty"`
}

func (s *server) status(*http.Request) (reply, error) {
	return reply{body: s.Status().filled()}, nil
}

// filled has empty lists where there were none, so that a reader finds [] and
// never null.
func (r StatusReport) filled() StatusReport {
	r.Listeners = list(r.Listeners)
	r.Engines, r.Webhooks = list(r.Engines), list(r.Webhooks)
	r.Schedules, r.Routes = list(r.Schedules), list(r.Routes)
	return r
}

func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func (s *server) config(*http.Request) (reply, error) {
	return reply{body: s.Status().Config}, nil
}

func (s *server) engines(*http.Request) (reply, error) {
	return reply{body: map[string]any{"engines": list(s.Status().Engines)}}, nil
}

func (s *server) webhooks(*http.Request) (reply, error) {
	return reply{body: map[string]any{"webhooks": list(s.Status().Webhooks)}}, nil
}

func (s *server) routeList(*http.Request) (reply, error) {
	return reply{body: map[string]any{"routes": list(s.Status().Routes)}}, nil
}

func (s *server) healthz(*http.Request) (reply, error) {
	return reply{body: map[string]string{"status": "ok"}}, nil
}

func degraded(report StatusReport) (names []string) {
	if report.Config.LastGood {
		names = append(names, "config: the last good revision is in force, the file is refused")
	}
	for _, e := range report.Config.SetAside {
		names = append(names, e.Name+": set aside")
	}
	for _, e := range report.Engines {
		if !e.Up {
			names = append(names, "engine "+e.Name+": "+e.State)
		}
		if e.ReturnedFrom != "" {
			names = append(names, "engine "+e.Name+": runs the program before")
		}
	}
	return names
}

// Readiness is the answer of /readyz. Degraded names what does not work while
// events are accepted: their deliveries wait.
type readiness struct {
	Status   string   `json:"status"`
	Reasons  []string `json:"reasons,omitempty"`
	Degraded []string `json:"degraded,omitempty"`
}

func (s *server) readyz(req *http.Request) (reply, error) {
	report := s.Status()
	r := readiness{Status: "ready"}
	if access.Of(req).Right.Allows(access.Read) { // why is not for everybody
		r.Reasons, r.Degraded = report.Reasons, degraded(report)
	}
	if !report.Ready {
		r.Status = "not ready"
		return reply{code: http.StatusServiceUnavailable, body: r}, nil
	}
	return reply{body: r}, nil
}
