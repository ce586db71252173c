//go:build race

package simulation

// race: the race detector watches, and takes its time.
const race = true
