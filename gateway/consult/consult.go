// Package consult asks engines what they say to the routes of a configuration,
// before it is in force. It is a part of gateway, which composes.
package consult

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/route"
)

// Question is what an engine is asked about a route, and about all that are alike.
type Question struct {
	engine                       *engine.Engine
	workflow, constant, computed string
}

// About is the question about a route.
func About(e *engine.Engine, r *route.Route) Question {
	return Question{e, r.Workflow, string(r.Constant), strings.Join(r.Computed, "\x00")}
}

// Answer is what an engine has said.
type Answer struct {
	Problems []engine.Problem
	// Err: the engine could not be asked.
	Err error
}

const (
	// answerTime is what an engine gets for a question that it has answered
	// before.
	answerTime = 2 * time.Second
	// places are how many questions are under way at a time.
	places = 8
)

// Ask asks all that there is to ask about routes, each question once. Before are
// those that have been answered before, with yes. An engine that does not answer
// is asked no more.
func Ask(ctx context.Context, engines map[string]*engine.Engine, routes []*route.Route, before map[Question]bool) map[Question]*Answer {
	c := consultation{before: before, silent: map[*engine.Engine]error{}}
	answers := map[Question]*Answer{}
	place := make(chan struct{}, places)
	var all sync.WaitGroup
	for _, r := range routes {
		q := About(engines[r.Engine], r)
		if q.engine == nil || answers[q] != nil {
			continue
		}
		into := &Answer{}
		answers[q] = into
		place <- struct{}{}
		all.Go(func() {
			into.Problems, into.Err = c.ask(ctx, q, r)
			<-place
		})
	}
	all.Wait()
	return answers
}

type consultation struct {
	before map[Question]bool
	mu     sync.Mutex
	silent map[*engine.Engine]error
}

func (c *consultation) ask(ctx context.Context, q Question, r *route.Route) ([]engine.Problem, error) {
	c.mu.Lock()
	err := c.silent[q.engine]
	c.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if c.before[q] {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, answerTime)
		defer cancel()
	}
	problems, err := q.engine.Check(ctx, r.Workflow, r.Constant, r.Computed)
	if err != nil {
		c.mu.Lock()
		c.silent[q.engine] = err
		c.mu.Unlock()
	}
	return problems, err
}
