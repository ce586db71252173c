package main

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// What a delivery does to Temporal.
const (
	modeStart           = "start"
	modeSignal          = "signal"
	modeSignalWithStart = "signal-with-start"
)

// When the id of a workflow that has ended may be used for another.
const (
	reuseNever  = "never"  // not as long as Temporal remembers it
	reuseFailed = "failed" // if it did not complete
	reuseClosed = "closed" // however it ended
)

// workflow is one entry of `workflows:`.
type workflow struct {
	name, description      string
	mode, reuse            string
	kind, queue, signal    string // kind is Temporal's workflow type
	id                     template
	wait, cancel, envelope bool
	execution, run, task   time.Duration // Temporal's three time-outs; 0 is its default
}

// defaultID names a workflow after its delivery, so that a second start of
// the same delivery is one of the same id, which Temporal refuses.
const defaultID = "gateway-{key}"

func newWorkflow(name string, c workflowConfig, queue string) (*workflow, error) {
	w := &workflow{
		name: name, description: c.Description,
		mode: or(c.Mode, modeStart), kind: or(c.Type, name), queue: or(c.TaskQueue, queue), signal: c.Signal,
		wait: c.Wait, cancel: c.Cancel == nil || *c.Cancel, envelope: c.Envelope,
	}
	w.reuse = reuseNever
	if w.mode == modeSignalWithStart {
		w.reuse = reuseClosed
	}
	w.reuse = or(c.Reuse, w.reuse)
	problems := w.mistakes(c)
	add := func(err error, key ...string) {
		problems = append(problems, problem(err, append([]string{"workflows", name}, key...)...))
	}
	var err error
	w.id, err = parse(or(c.ID, defaultID))
	add(err, "id")
	w.execution, err = duration(c.Timeouts.Execution)
	add(err, "timeouts", "execution")
	w.run, err = duration(c.Timeouts.Run)
	add(err, "timeouts", "run")
	w.task, err = duration(c.Timeouts.Task)
	add(err, "timeouts", "task")
	return w, errors.Join(problems...)
}

// mistakes are keys that are wrong, missing, or of no use in their mode.
func (w *workflow) mistakes(c workflowConfig) (out []error) {
	if !slices.Contains([]string{modeStart, modeSignal, modeSignalWithStart}, w.mode) {
		return []error{problem(errors.New("want start, signal or signal-with-start"), "workflows", w.name, "mode")}
	}
	starts, signals := w.mode != modeSignal, w.mode != modeStart
	for _, rule := range []struct {
		wrong         bool
		key, mistaken string
	}{
		{signals && c.Signal == "", "signal", "is needed: the name of the signal"},
		{!signals && c.Signal != "", "signal", "has no use with mode: start"},
		{signals && c.ID == "", "id", "is needed: which workflow is signalled, like order-{input.order}"},
		{starts && w.queue == "", "task_queue", "is needed, here or for all workflows"},
		{!starts && c.TaskQueue != "", "task_queue", "has no use with mode: signal"},
		{!starts && c.Type != "", "type", "has no use with mode: signal"},
		{!starts && c.Reuse != "", "reuse", "has no use with mode: signal"},
		{!starts && c.Timeouts != timeouts{}, "timeouts", "have no use with mode: signal"},
		{!starts && c.Wait, "wait", "has no use with mode: signal, which does not start what it would wait for"},
		{c.Cancel != nil && !c.Wait, "cancel", "needs wait: true"},
		{!slices.Contains([]string{reuseNever, reuseFailed, reuseClosed}, w.reuse), "reuse", "want never, failed or closed"},
	} {
		if rule.wrong {
			out = append(out, problem(errors.New(rule.mistaken), "workflows", w.name, rule.key))
		}
	}
	return out
}

// about is for people.
func (w *workflow) about() string {
	switch {
	case w.description != "":
		return w.description
	case w.mode == modeStart:
		return fmt.Sprintf("starts %s on %s", w.kind, w.queue)
	case w.mode == modeSignal:
		return "signals " + w.signal
	}
	return fmt.Sprintf("signals %s, starts %s on %s", w.signal, w.kind, w.queue)
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func duration(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, errors.New("is not a length of time like 10s or 24h")
	}
	return d, nil
}
