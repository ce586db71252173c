package store

import "strings"

// replayMark stands between the id of an event and that of its replay.
const replayMark = "~replay-"

// ReplayID is the id of an event that brings another in once more. An event has
// at most one in each replay: its source and id are an event's identity, so that
// a replay which is done again, after a crash perhaps, repeats nothing. The
// replay of a replay is one of the first event.
func ReplayID(id, replay string) string {
	if of, _, is := ReplayOf(id); is {
		id = of
	}
	return id + replayMark + replay
}

// ReplayOf takes an id of ReplayID apart.
func ReplayOf(id string) (of, replay string, is bool) { return strings.Cut(id, replayMark) }
