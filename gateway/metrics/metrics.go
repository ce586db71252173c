// Package metrics is what Prometheus scrapes: it makes numbers of the same
// report that api shows as the status, and counts the attempts of dispatch.
package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/api"
)

// Metrics is what Prometheus scrapes: the status report as it is at that
// moment, and what only adds up over time. It has a registry of its own.
type Metrics struct {
	registry *prometheus.Registry
	attempts *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

// New is metrics over a status.
func New(status api.Status) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_delivery_attempts_total", Help: "Attempts that ended, by outcome.",
		}, []string{"route", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gateway_delivery_duration_seconds", Help: "How long attempts took, from start to outcome.",
			// 1 ms to 17 min, each four times the one before.
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 11),
		}, []string{"engine"}),
	}
	m.registry.MustRegister(m.attempts, m.duration, reportCollector(status),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Attempt counts an attempt that ended. It is safe for concurrent use.
func (m *Metrics) Attempt(route, engine, outcome string, took time.Duration) {
	m.attempts.WithLabelValues(route, outcome).Inc()
	m.duration.WithLabelValues(engine).Observe(took.Seconds())
}

// scrapes bounds concurrent scrapes, and with them status reports.
const scrapes = 3

// Handler is the page that is scraped.
func (m *Metrics) Handler(log *zap.Logger) http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: scrapes, ErrorLog: zap.NewStdLog(log), ErrorHandling: promhttp.ContinueOnError,
	})
}

// reportCollector makes metrics of a report at each scrape. It describes
// nothing: which series there are depends on the configuration.
type reportCollector api.Status

func (c reportCollector) Describe(chan<- *prometheus.Desc) {}

func (c reportCollector) Collect(ch chan<- prometheus.Metric) {
	r := c()
	out := sink(ch)
	out.config(r)
	for _, l := range r.Listeners {
		out.moment("gateway_tls_certificate_expiry_timestamp_seconds", "When the certificate of a listener expires.",
			l.CertificateExpires, "listener", l.Name)
	}
	out.intake(r.Intake)
	out.store(r.Store)
	for _, w := range r.Webhooks {
		out.webhook(w)
	}
	for _, s := range r.Schedules {
		out.moment("gateway_schedule_last_timestamp_seconds", "When the schedule last fired.", s.Last, "schedule", s.Name)
		out.moment("gateway_schedule_next_timestamp_seconds", "When the schedule fires next.", s.Next, "schedule", s.Name)
	}
	for _, route := range r.Routes {
		out.route(route)
	}
	for _, e := range r.Engines {
		out.engine(e)
	}
}

func (out sink) config(r api.StatusReport) {
	c := r.Config
	out.gauge("gateway_info", "The version that runs.", 1, "version", r.Version)
	out.moment("gateway_start_timestamp_seconds", "When the gateway started.", r.StartedAt)
	out.gauge("gateway_ready", "1 when events can be accepted.", bit(r.Ready))
	out.gauge("gateway_config_info", "The revision that is live.", 1, "revision", c.Revision)
	out.gauge("gateway_config_last_reload_successful", "1 when the latest reload went live or changed nothing.",
		bit(c.LastReload == nil || c.LastReload.OK))
	out.moment("gateway_config_last_reload_success_timestamp_seconds", "When the live configuration was loaded.", c.LoadedAt)
	out.gauge("gateway_config_last_good", "1 while the last good revision is in force because the file was refused at the start.", bit(c.LastGood))
	out.gauge("gateway_config_set_aside", "Entries made over the API that are not in force.", float64(len(c.SetAside)))
	out.counter("gateway_config_reloads_total", reloadsHelp, float64(c.Accepted), "result", "accepted")
	out.counter("gateway_config_reloads_total", reloadsHelp, float64(c.Refused), "result", "refused")
}

const reloadsHelp = "Configurations that were read, by what became of them."

func (out sink) intake(i api.IntakeStatus) {
	const name, help = "gateway_events_total", "Events from all sources, by what became of them."
	for result, n := range map[string]uint64{
		"accepted": i.Accepted, "duplicate": i.Duplicates, "conflict": i.Conflicts, "refused": i.Refused,
	} {
		out.counter(name, help, float64(n), "result", result)
	}
	out.counter("gateway_events_unrouted_total", "Accepted events that matched no route.", float64(i.Unrouted))
}

func (out sink) store(s api.StoreStatus) {
	out.counter("gateway_store_commits_total", "Transactions on stable storage.", float64(s.Commits))
	out.counter("gateway_store_commit_seconds_total", "Time that commits took.", s.CommitSeconds)
	out.counter("gateway_store_entries_total", "Events that were committed.", float64(s.Entries))
	out.counter("gateway_store_changes_total", "Changes of deliveries that were committed.", float64(s.Changes))
	out.gauge("gateway_store_size_bytes", "What the store's files take.", float64(s.SizeBytes))
	out.gauge("gateway_store_free_bytes", "What is free on the store's disk.", float64(s.FreeBytes))
	out.gauge("gateway_store_pending", "Deliveries that have not ended.", float64(s.Pending))
	out.gauge("gateway_store_refusing", "1 while the store refuses new events.", bit(s.Refusing != ""))
}

func (out sink) webhook(w api.WebhookStatus) {
	const name, help = "gateway_webhook_requests_total", "Requests to webhooks, by result."
	out.counter(name, help, float64(w.Accepted), "webhook", w.Name, "result", "accepted")
	out.counter(name, help, float64(w.Duplicates), "webhook", w.Name, "result", "duplicate")
	if w.Handshakes > 0 {
		out.counter(name, help, float64(w.Handshakes), "webhook", w.Name, "result", "handshake")
	}
	for reason, n := range w.Rejected {
		out.counter(name, help, float64(n), "webhook", w.Name, "result", reason)
	}
	if w.ClockSkew != nil {
		out.gauge("gateway_webhook_clock_skew_seconds", "How far the time of the last signed request was behind ours.", *w.ClockSkew, "webhook", w.Name)
	}
	for _, s := range w.Secrets {
		out.moment("gateway_webhook_secret_last_match_timestamp_seconds",
			"When a signature last matched this secret.", s.LastAt, "webhook", w.Name, "secret", strconv.Itoa(s.Position))
	}
}

func (out sink) route(r api.RouteStatus) {
	out.counter("gateway_route_events_total", "Events that the route matched.", float64(r.Matched), "route", r.Name)
	out.counter("gateway_route_filter_errors_total", "Events whose filter ended in an error, and so did not match.",
		float64(r.FilterErrors), "route", r.Name)
	out.gauge("gateway_deliveries_pending", "Deliveries that have not ended.", float64(r.Pending),
		"route", r.Name, "engine", r.Engine)
	age := 0.0
	if !r.Oldest.IsZero() {
		age = max(0, time.Since(r.Oldest).Seconds())
	}
	out.gauge("gateway_delivery_oldest_pending_seconds", "Age of the oldest delivery that has not ended.", age,
		"route", r.Name, "engine", r.Engine)
}

func (out sink) engine(e api.EngineStatus) {
	out.gauge("gateway_engine_up", "1 when the engine can start runs.", bit(e.Up), "engine", e.Name)
	out.counter("gateway_engine_restarts_total", "How often the engine was restarted.", float64(e.Restarts), "engine", e.Name)
	out.gauge("gateway_engine_info", "The version and the checksum of the engine.", 1,
		"engine", e.Name, "version", e.Version, "sha256", e.SHA256)
	out.moment("gateway_engine_start_timestamp_seconds", "When the engine's process started.", e.StartedAt, "engine", e.Name)
	out.counter("gateway_engine_stuck_total", "Processes of the engine that could not be ended.", float64(e.Stuck), "engine", e.Name)
	out.gauge("gateway_engine_in_flight", "Runs that the engine has now.", float64(e.InFlight), "engine", e.Name)
	out.gauge("gateway_engine_returned", "1 while the program before runs, because the new one crashed again and again.",
		bit(e.ReturnedFrom != ""), "engine", e.Name)
	out.gauge("gateway_engine_waiting", "Runs that wait for an answer.", float64(e.Waiting), "engine", e.Name)
	out.gauge("gateway_engine_in_flight_limit", "Runs that the engine may have.", float64(e.Limit), "engine", e.Name)
}

// sink sends metrics made on the spot. Labels are pairs of name and value.
type sink chan<- prometheus.Metric

func (out sink) gauge(name, help string, v float64, labels ...string) {
	out.send(name, help, prometheus.GaugeValue, v, labels)
}

func (out sink) counter(name, help string, v float64, labels ...string) {
	out.send(name, help, prometheus.CounterValue, v, labels)
}

// moment is a gauge of Unix seconds; a zero time is no series at all.
func (out sink) moment(name, help string, t time.Time, labels ...string) {
	if !t.IsZero() {
		out.gauge(name, help, float64(t.UnixMilli())/1000, labels...)
	}
}

func (out sink) send(name, help string, kind prometheus.ValueType, v float64, labels []string) {
	constant := prometheus.Labels{}
	for i := 0; i+1 < len(labels); i += 2 {
		constant[labels[i]] = labels[i+1]
	}
	desc := prometheus.NewDesc(name, help, nil, constant)
	m, err := prometheus.NewConstMetric(desc, kind, v)
	if err != nil {
		m = prometheus.NewInvalidMetric(desc, err)
	}
	out <- m
}

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
