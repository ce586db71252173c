//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// metrics are the gateway's, by name and labels as they are written.
type metrics map[string]float64

func readMetrics(ctx context.Context, admin string) (metrics, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	m := metrics{}
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if m[line[:at]], err = strconv.ParseFloat(line[at+1:], 64); err != nil {
			return nil, fmt.Errorf("metrics: %q: %w", line, err)
		}
	}
	return m, lines.Err()
}

// attempts that ended, by outcome.
func (m metrics) attempts() map[string]int64 {
	counts := map[string]int64{}
	for name, n := range m {
		if rest, ok := strings.CutPrefix(name, `gateway_delivery_attempts_total{outcome="`); ok {
			outcome, _, _ := strings.Cut(rest, `"`)
			counts[outcome] += int64(n)
		}
	}
	return counts
}

// What the gateway's Go runtime has allocated.
const (
	allocations    = "go_memstats_mallocs_total"
	allocatedBytes = "go_memstats_alloc_bytes_total"
)
