package metrics

import (
	"encoding/json"
	"flag"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/api"
)

var update = flag.Bool("update", false, "rewrite the golden file")

// report is the status of the API's own tests: with everything in it.
func report(t *testing.T) (r api.StatusReport) {
	t.Helper()
	text, err := os.ReadFile("../api/testdata/status.golden")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(text), "\n\n")
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler(zap.NewNop()).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// TestMetrics compares the whole page, without what the Go runtime adds and
// with ages that depend on the clock made equal.
func TestMetrics(t *testing.T) {
	t.Parallel()
	shown := report(t)
	m := New(func() api.StatusReport { return shown })
	m.Attempt("deploy-main", "exec", "succeeded", 3*time.Millisecond)
	m.Attempt("deploy-main", "exec", "retryable", 2*time.Second)
	var own []string
	for line := range strings.Lines(scrape(t, m)) {
		if strings.Contains(line, "gateway_") {
			own = append(own, line)
		}
	}
	ages := regexp.MustCompile(`(gateway_delivery_oldest_pending_seconds\{.*\}) .*`)
	got := ages.ReplaceAllString(strings.Join(own, ""), "$1 AGE")
	const file = "testdata/metrics.golden"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestMetricsLint(t *testing.T) {
	t.Parallel()
	shown := report(t)
	problems, err := testutil.GatherAndLint(New(func() api.StatusReport { return shown }).registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

// TestMetricsSurvive a report that says something twice.
func TestMetricsSurvive(t *testing.T) {
	t.Parallel()
	shown := report(t)
	shown.Routes = append(shown.Routes, shown.Routes[0])
	if page := scrape(t, New(func() api.StatusReport { return shown })); !strings.Contains(page, "gateway_engine_up") {
		t.Errorf("got %s", page)
	}
}
