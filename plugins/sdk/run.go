package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"time"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// execute does one run and always ends it: an engine that panics, or that
// leaves its goroutine, would otherwise keep a delivery running for ever.
func execute(ctx context.Context, r *run, do work) {
	var end *enginev1.RunUpdate
	defer func() {
		if p := recover(); p != nil {
			err := fmt.Errorf("panic: %v", p)
			Logger().Error("run panicked", "key", r.request.Key, "workflow", r.request.Workflow,
				"error", text(err.Error()), "stack", string(debug.Stack()))
			end = &enginev1.RunUpdate{Update: failed(ctx, err)}
		}
		if end == nil {
			end = &enginev1.RunUpdate{Update: failed(ctx, errors.New("the run's goroutine exited"))}
		}
		r.runs.finish(r, end)
	}()
	end = do(ctx, r)
}

// emit sends an update to wherever the run reports now.
func (r *run) emit(m *enginev1.RunUpdate) {
	r.runs.mu.Lock()
	out := r.out
	r.runs.mu.Unlock()
	if out != nil {
		m.Key = r.request.Key
		out.outbox.Send(m)
	}
}

func (r *run) accept(runID string) {
	runID = text(runID)
	r.runs.mu.Lock()
	r.runID = runID
	r.runs.mu.Unlock()
	r.emit(&enginev1.RunUpdate{Update: &enginev1.RunUpdate_Accepted{
		Accepted: &enginev1.Accepted{RunId: runID},
	}})
}

func (r *run) progress(step, message string, fraction float64) {
	if math.IsNaN(fraction) {
		fraction = -1
	}
	r.emit(&enginev1.RunUpdate{Update: &enginev1.RunUpdate_Progress{
		Progress: &enginev1.Progress{Step: text(step), Message: text(message), Fraction: fraction},
	}})
}

func (r *run) wait(ctx context.Context, p Prompt) (json.RawMessage, error) {
	answers, err := r.ask(p)
	if err != nil {
		return nil, err
	}
	defer r.asked()
	select {
	case answer := <-answers:
		return answer, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// maxSchema bounds the JSON Schema of an answer, in bytes.
const maxSchema = 256 << 10

// ask makes the run a waiting one: the deadline stands still.
func (r *run) ask(p Prompt) (<-chan json.RawMessage, error) {
	if len(p.Schema) > maxSchema {
		return nil, fmt.Errorf("wait: schema of %d bytes, at most %d are allowed", len(p.Schema), maxSchema)
	}
	prompt := waiting(p)
	answers := make(chan json.RawMessage, 1)
	r.runs.mu.Lock()
	if r.answers != nil {
		r.runs.mu.Unlock()
		return nil, errors.New("wait: the run waits already")
	}
	r.prompt, r.answers = prompt, answers
	if !r.due.IsZero() {
		r.left, r.due = max(1, time.Until(r.due)), time.Time{}
	}
	r.runs.mu.Unlock()
	r.emit(&enginev1.RunUpdate{Update: &enginev1.RunUpdate_Waiting{Waiting: prompt}})
	return answers, nil
}

// asked lets the deadline go on.
func (r *run) asked() {
	r.runs.mu.Lock()
	defer r.runs.mu.Unlock()
	r.prompt, r.answers = nil, nil
	if r.left > 0 && !r.stopping {
		r.runs.expire(r, r.left)
		r.left = 0
	}
}

// answer hands an answer from st to the run that waits for it. It tells whether there
// is a run; one that doesn't wait has had its answer.
func (rs *runs) answer(st *stream, key string, input []byte) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.live[key]
	if r == nil {
		return false
	}
	rs.move(r, st)
	if r.answers != nil {
		select {
		case r.answers <- input:
		default:
		}
	}
	return true
}

func waiting(p Prompt) *enginev1.Waiting {
	return &enginev1.Waiting{Prompt: text(p.Text), Schema: p.Schema}
}
