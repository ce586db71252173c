// Package attempt is what dispatch shows of the attempts under way: which run it
// is, how far it said it is, and what it asks. It is a part of dispatch.
package attempt

import (
	"time"

	"github.com/event-gateway/gateway/gateway/dispatch/outcome"
	"github.com/event-gateway/gateway/gateway/engine"
)

// Run is an attempt under way, as people see it.
type Run struct {
	// Seq and EventID name the delivery and its event, ID what the engine calls
	// the run.
	Seq         int64
	EventID, ID string
	Route       string
	// Engine and Workflow that run it, and the engine's process.
	Engine, Workflow, Process string
	// Attempt counts from 1.
	Attempt  int
	Started  time.Time
	Deadline time.Time // zero without one, and while it waits
	// Cancelled: it was asked to end, by a person or because its time was up.
	Cancelled bool
	// Waiting for an answer to Question.
	Waiting  bool
	Question Question
	Progress Progress
}

// Progress is what a run said last about how far it is; zero when it has not.
type Progress struct {
	Step, Message string
	// Fraction from 0 to 1; negative when unknown.
	Fraction float64
	At       time.Time
}

// Question is what a waiting run wants to know.
type Question struct {
	Prompt string
	// Schema is a JSON Schema of the answer; empty when anything goes.
	Schema []byte
	At     time.Time
}

// ProgressOf is what an update says, now.
func ProgressOf(u engine.Update) Progress {
	return Progress{Step: outcome.Clip(u.Step), Message: outcome.Clip(u.Message), Fraction: u.Fraction, At: time.Now()}
}

// QuestionOf is what an update asks, now.
func QuestionOf(u engine.Update) Question {
	return Question{Prompt: outcome.Clip(u.Prompt), Schema: u.Schema, At: time.Now()}
}
