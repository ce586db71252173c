//go:build linux && amd64

package main

import (
	"github.com/event-gateway/gateway/test/torture/damage"
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
		{Name: "T3", Title: "a sync fails", Promises: "P1 P2 P10", Figures: times(60, 400, 4000), Run: trials.Sync},
		{Name: "T4", Title: "the disk is full", Promises: "P1 P2 P10", Figures: times(4, 20, 500), Run: trials.Full},
		{Name: "T5", Title: "files are damaged", Promises: "P2 P7", Figures: times(100, 500, 20000), Run: damage.Flip},
		{Name: "T11", Title: "engines crash, in each way", Promises: "P8", Figures: times(4, 200, 10000), Run: trials.Joined{
			Package: "./gateway/engine", Tests: "LeaveNothing", Variable: "ENGINE_CRASHES",
		}.Run},
		{Name: "T12", Title: "engines hang, flood, leave children", Promises: "P8", Figures: times(1, 20, 500), Run: trials.Joined{
			Package: "./test/e2e", Tests: "TestEngineFaults", Variable: "E2E_FAULTS", AtOnce: 3,
		}.Run},
		{Name: "T13", Title: "SIGKILL with engines and their children", Promises: "P9", Figures: times(4, 50, 1000), Run: trials.Joined{
			Package: "./gateway/engine", Tests: "DeathOfTheGateway", Variable: "ENGINE_CRASHES",
		}.Run},
		{Name: "T14", Title: "engines are swapped under load", Promises: "P2 P6 P8", Figures: times(5, 50, 1000), Run: trials.Joined{
			Package: "./test/e2e", Tests: "TestManySwaps", Variable: "E2E_SWAPS",
		}.Run},
		{Name: "T15", Title: "reloads under load, half of them broken", Promises: "P2 P6", Figures: times(40, 500, 50000), Run: trials.Joined{
			Package: "./test/e2e", Tests: "TestReload$", Variable: "E2E_RELOADS", AtOnce: 6,
		}.Run},
		{Name: "T22", Title: "sent again, in every way", Promises: "P3 P4", Figures: times(100, 3000, 100000), Run: trials.Repeat},
		{Name: "T24", Title: "canary secrets", Promises: "P13", Figures: times(1, 1, 20), Run: trials.Joined{
			Package: "./test/e2e", Tests: "TestCanaries",
		}.Run},
		{Name: "T27", Title: "SIGKILL at each step of a commit", Promises: "P1 P2 P3 P4 P15", Figures: times(1, 20, 1000), Run: trials.Steps},
	}
}
