package main

import (
	"os"
	"runtime/debug"
)

// collectAt is how much the heap may grow between two collections, in percent.
// The gateway holds little and makes garbage with every event: Go's 100 would
// collect some ten times a second under load. GOGC overrides it.
const collectAt = 400

func tuneMemory() {
	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(collectAt)
	}
}
