//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

func TestRequestsAreSignedAndDiffer(t *testing.T) {
	t.Parallel()
	w := newWriter(7, 2)
	ids, bodies := map[string]bool{}, map[string]bool{}
	const many = 300 // more than two digits in base 16
	for range many {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(w.next())))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || len(body) != bodySize || !json.Valid(body) {
			t.Fatalf("%d bytes, %v: %s", len(body), err, body)
		}
		if !signed(body, r.Header.Get(signatureHeader)) {
			t.Fatalf("signature %q", r.Header.Get(signatureHeader))
		}
		ids[r.Header.Get("X-GitHub-Delivery")], bodies[string(body)] = true, true
	}
	if len(ids) != many || len(bodies) != many {
		t.Errorf("%d ids and %d bodies in %d requests", len(ids), len(bodies), many)
	}
}

func TestBare(t *testing.T) {
	t.Parallel()
	good := newWriter(1, 1).next()
	bad := bytes.Replace(good, []byte(`main`), []byte(`mine`), 1)
	for want, text := range map[int][]byte{http.StatusAccepted: good, http.StatusUnauthorized: bad} {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
		if err != nil {
			t.Fatal(err)
		}
		answer := httptest.NewRecorder()
		bare(answer, r)
		if answer.Code != want {
			t.Errorf("got %d, want %d", answer.Code, want)
		}
	}
}

func TestParseAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text            string
		whole, accepted bool
	}{
		{"", false, false},
		{"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n", false, false},
		{"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{", false, false},
		{"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}", true, true},
		{"HTTP/1.1 202 Accepted\r\nDate: now\r\nContent-Length: 2\r\nA: b\r\n\r\n{}", true, true},
		{"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", true, false},
	} {
		if whole, accepted := parseAnswer([]byte(c.text)); whole != c.whole || accepted != c.accepted {
			t.Errorf("%q: got %v, %v", c.text, whole, accepted)
		}
	}
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	var h, all histogram
	for i := range 100 {
		h.observe(time.Duration(i) * time.Millisecond)
	}
	h.observe(time.Hour)
	all.add(&h)
	if all.count() != 101 {
		t.Errorf("count %d", all.count())
	}
	for q, want := range map[float64]time.Duration{0.5: 50 * time.Millisecond, 0.99: 99 * time.Millisecond} {
		if got := all.quantile(q); got != want+histogramStep {
			t.Errorf("quantile %v: %s", q, got)
		}
	}
}

func TestSettled(t *testing.T) {
	t.Parallel()
	start := time.Unix(1000, 0)
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	samples := []sample{{at(0.9), 50}, {at(1.1), 100}, {at(2), 300}, {at(2.9), 460}, {at(3.1), 9000}}
	if got := settled(samples, at(1), at(3)); math.Abs(got-200) > 1e-9 {
		t.Errorf("got %v, want (460-100)/1.8 s", got)
	}
	if got := settled(nil, at(1), at(3)); got != 0 {
		t.Errorf("nothing: %v", got)
	}
}

func TestGate(t *testing.T) {
	t.Parallel()
	g := &gate{window: 2}
	g.sent.Store(1)
	open := g.open()
	g.sent.Store(2)
	shut := g.open()
	g.settled.Store(1)
	if !open || shut || !g.open() {
		t.Errorf("open %v, then %v, then %v", open, shut, g.open())
	}
}

func TestRatiosAreOfOneRound(t *testing.T) {
	t.Parallel()
	r := report{Options: options{Connections: 256}, Runs: []figures{
		{Scenario: bareName, Round: 1, Rate: 100, ServerCPU: 20, GeneratorCPU: 10}, {Scenario: "run", Round: 1, Rate: 50, ServerCPU: 30, EngineCPU: 10, GeneratorCPU: 20},
		{Scenario: bareName, Round: 2, Rate: 10}, {Scenario: "run", Round: 2, Rate: 4},
		{Scenario: bareName, Round: 3, Rate: 1000}, {Scenario: "run", Round: 3, Rate: 300},
	}}
	r.summarise([]scenario{{name: bareName}, {name: "run", goals: map[int]float64{64: 0.35, 256: 0.45}}})
	m := r.Medians[1]
	if m.Ratio != 0.4 || m.Rate != 50 || m.Lowest != 0.3 || m.Highest != 0.5 {
		t.Errorf("got %+v", m)
	}
	if got := r.Runs[1].CPURatio; got != 0.5 {
		t.Errorf("by CPU %v", got)
	}
	if got := m.verdict(); got != ", goal 0.45 missed" {
		t.Errorf("verdict %q", got)
	}
}

func TestReadMetrics(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `# TYPE gateway_delivery_attempts_total counter
gateway_delivery_attempts_total{outcome="retryable",route="a"} 1
gateway_delivery_attempts_total{outcome="succeeded",route="a"} 1.5e+06
gateway_delivery_attempts_total{outcome="succeeded",route="b"} 2
gateway_ready 1
`)
	}))
	defer s.Close()
	m, err := readMetrics(t.Context(), s.Listener.Addr().String())
	got := m.attempts()
	if m["gateway_ready"] != 1 || err != nil || len(got) != 2 || got["retryable"] != 1 || got["succeeded"] != 1_500_002 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestProcessFigures(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func() (int64, error){
		"busy": func() (int64, error) { d, err := busyTime(); return int64(d), err },
		"rss":  func() (int64, error) { return peakMemory(os.Getpid()) },
	} {
		if got, err := read(); err != nil || got <= 0 {
			t.Errorf("%s: %d, %v", name, got, err)
		}
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(bare))
	defer s.Close()
	work := task{Address: s.Listener.Addr().String(), Connections: 3, Threads: 2, Duration: 300 * time.Millisecond}
	r, err := work.do(t.Context())
	if err != nil || r.Sent == 0 || r.Answered == 0 || r.P99 < r.P50 || r.P50 == 0 {
		t.Errorf("got %+v, %v", r, err)
	}
	none := httptest.NewServer(http.NotFoundHandler())
	defer none.Close()
	work.Address = none.Listener.Addr().String()
	if _, err := work.do(t.Context()); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("refused: got %v", err)
	}
}

// A latency is judged only where the machine had nothing else to do.
func TestLatencyIsJudged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		p99, most time.Duration
		others    float64
		good      bool
	}{
		{49 * time.Millisecond, 50 * time.Millisecond, 0, true},
		{51 * time.Millisecond, 50 * time.Millisecond, 0, false},
		{51 * time.Millisecond, 0, 0, true},
		{51 * time.Millisecond, 50 * time.Millisecond, 0.5, true},
	} {
		if err := quick(&figures{result: result{P99: tt.p99}, Others: tt.others}, tt.most); (err == nil) != tt.good {
			t.Errorf("%s of %s beside %.1f: %v", tt.p99, tt.most, tt.others, err)
		}
	}
}

func TestGrowthIsFound(t *testing.T) {
	t.Parallel()
	series := func(n int, disk func(i int) int64) (list []level) {
		for i := range n {
			list = append(list, level{Memory: 200 << 20, Disk: disk(i) << 20})
		}
		return list
	}
	for name, tt := range map[string]struct {
		levels []level
		good   bool
	}{
		"flat":           {series(60, func(int) int64 { return 2000 }), true},
		"levels off":     {series(60, func(i int) int64 { return min(100*int64(i), 2000) }), true},
		"up and down":    {series(60, func(i int) int64 { return 1500 + 500*int64(i%2) }), true},
		"grows for ever": {series(60, func(i int) int64 { return 100 * int64(i) }), false},
		"too short":      {series(2, func(int) int64 { return 1 }), false},
	} {
		if err := flat(tt.levels); (err == nil) != tt.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// More threads than connections would be threads that have none.
func TestFewConnections(t *testing.T) {
	t.Parallel()
	for connections, want := range map[string]int{"1": 1, "2": 2, "64": 2} {
		if o, err := parse([]string{"--connections", connections}); err != nil || o.Threads != want {
			t.Errorf("%s connections: %d threads, %v; want %d", connections, o.Threads, err, want)
		}
	}
}
