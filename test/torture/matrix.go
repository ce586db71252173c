//go:build linux && amd64

package main

import (
	"github.com/event-gateway/gateway/test/torture/power"
	"github.com/event-gateway/gateway/test/torture/trial"
	"github.com/event-gateway/gateway/test/torture/trials"
)

// profiles say how often each trial tries: tiny is for tests of torture itself,
// quick for every change, long for releases.
func profiles() []string { return []string{"tiny", "quick", "long"} }

func times(tiny, quick, long int) map[string]int {
	return map[string]int{"tiny": tiny, "quick": quick, "long": long}
}

// matrix is all trials.
func matrix() []trial.Trial {
	return []trial.Trial{
		{Name: "T1", Title: "SIGKILL under load", Promises: "P1 P2 P3 P15", Figures: times(10, 300, 10000), Run: trials.Kill},
		{Name: "T2", Title: "the power goes", Promises: "P1 P2 P3 P4", Figures: times(200, 1000, 50000), Run: power.Lose},
		{Name: "T3", Title: "a sync fails", Promises: "P1 P2 P10", Figures: times(30, 60, 2000), Run: trials.Sync},
		{Name: "T27", Title: "SIGKILL at each step of a commit", Promises: "P1 P2 P3 P4 P15", Figures: times(1, 20, 1000), Run: trials.Steps},
	}
}
