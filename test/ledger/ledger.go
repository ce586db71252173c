// Package ledger compares what a gateway promised with what was done: events
// that it acknowledged with the runs that the test engine wrote down. It stands
// beside whatever tests the whole, and knows neither.
package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// Note is a line that the test engine wrote about a run.
type Note struct {
	What, Route, Key, Event, Sender string
	Attempt, N, PID                 int
	At                              int64 // Unix, nanoseconds
}

// beginning of every note: its fields are in the order of their names.
var beginning = []byte(`{"at":`)

// Read reads what engines wrote, oldest first. A note without an end was cut off with
// its engine, which then told nobody of that run; the next engine's follows it.
func Read(path string) (notes []Note, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(text) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var n Note
		if err := json.Unmarshal(line[max(0, bytes.LastIndex(line, beginning)):], &n); err != nil {
			return nil, fmt.Errorf("journal: %w: %q", err, line)
		}
		notes = append(notes, n)
	}
	return notes, nil
}

// Audit is what became of the events of one route.
type Audit struct {
	Acknowledged, Runs, Lost, SameKey, OtherKey int
	// Twice counts runs that one engine process began again as the same attempt:
	// no crash explains that.
	Twice int
}

// Count compares the events that were acknowledged with the notes of a route.
func Count(notes []Note, route string, acked map[string]time.Time) Audit {
	type run struct {
		key          string
		pid, attempt int
	}
	runs, ends := map[string]run{}, map[string]bool{}
	a := Audit{Acknowledged: len(acked)}
	for _, n := range notes {
		if n.Route != route {
			continue
		}
		before, known := runs[n.Event]
		now := run{n.Key, n.PID, n.Attempt}
		switch {
		case n.What == "end":
			ends[n.Event] = true
			continue
		case n.What != "begin":
			continue
		case known && before == now:
			a.Twice++
			a.SameKey++
		case known && before.key == n.Key:
			a.SameKey++
		case known:
			a.OtherKey++
		}
		a.Runs++
		runs[n.Event] = now
	}
	for id := range acked {
		if !ends[id] {
			a.Lost++
		}
	}
	return a
}

// String is one line for people.
func (a Audit) String() string {
	return fmt.Sprintf("acknowledged %d, runs %d, lost %d, repeated under the same key %d, under another key %d",
		a.Acknowledged, a.Runs, a.Lost, a.SameKey, a.OtherKey)
}

// Disorder is a run that began before its turn.
type Disorder struct {
	Sender             string
	N, After, HadEnded int
}

func (d Disorder) String() string {
	return fmt.Sprintf("%s %d began after %d, when %d had ended", d.Sender, d.N, d.After, d.HadEnded)
}

// Order checks that the first runs of each sender's events began in the order in
// which they were accepted, each after the one before had ended. keys is how
// many senders there are.
func Order(notes []Note, route string) (keys int, wrong []Disorder) {
	next, ended := map[string]int{}, map[string]int{}
	for _, n := range notes {
		switch {
		case n.Route != route:
		case n.What == "end":
			ended[n.Sender] = max(ended[n.Sender], n.N)
		case n.N > next[n.Sender]:
			if n.N != next[n.Sender]+1 || ended[n.Sender] != n.N-1 {
				wrong = append(wrong, Disorder{n.Sender, n.N, next[n.Sender], ended[n.Sender]})
			}
			next[n.Sender] = n.N
		}
	}
	return len(next), wrong
}
