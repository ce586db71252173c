package api

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// TestMetrics compares the whole page, without what the Go runtime adds and
// with ages that depend on the clock made equal.
func TestMetrics(t *testing.T) {
	t.Parallel()
	s, _ := serve(newFake(), admin)
	s.Metrics.Attempt("deploy-main", "exec", "succeeded", 3*time.Millisecond)
	s.Metrics.Attempt("deploy-main", "exec", "retryable", 2*time.Second)
	w := do(s, request("GET", "/metrics", ""))
	if w.Code != 200 {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	var own []string
	for line := range strings.Lines(w.Body.String()) {
		if strings.Contains(line, "gateway_") {
			own = append(own, line)
		}
	}
	ages := regexp.MustCompile(`(gateway_delivery_oldest_pending_seconds\{.*\}) .*`)
	golden(t, "metrics", ages.ReplaceAllString(strings.Join(own, ""), "$1 AGE"))
}

func TestMetricsLint(t *testing.T) {
	t.Parallel()
	s, _ := serve(newFake(), admin)
	problems, err := testutil.GatherAndLint(s.Metrics.registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

// TestMetricsSurvive a report that says something twice.
func TestMetricsSurvive(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.report.Routes = append(f.report.Routes, f.report.Routes[0])
	s, _ := serve(f, admin)
	w := do(s, request("GET", "/metrics", ""))
	if w.Code != 200 || !strings.Contains(w.Body.String(), "gateway_engine_up") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}
