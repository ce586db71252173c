package link

import (
	"strconv"

	"github.com/event-gateway/gateway/plugins/sdk/message"
	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

func startOf(c Call) message.Start {
	s := message.Start{Key: c.Key, Workflow: c.Workflow, Input: c.Input, Attempt: c.Attempt,
		Deadline: c.Deadline, FirstAttemptAt: c.FirstAttemptAt}
	if e := c.Event; e != nil {
		s.Event = message.Event{ID: e.ID, Source: e.Source, Type: e.Type, Subject: e.Subject, Time: e.Time,
			ContentType: e.ContentType, Body: e.Body, Data: e.JSON(),
			Headers: e.Headers, Query: e.Query, Extensions: e.Extensions}
	}
	return s
}

// updateOf reads what an engine says about a run; ok is false for an update
// that this version does not know, which an addition to the contract may be.
func updateOf(m *enginev1.RunUpdate) (u Update, ok bool) {
	switch m := m.Update.(type) {
	case *enginev1.RunUpdate_Accepted:
		return Update{Kind: Accepted, RunID: m.Accepted.GetRunId()}, true
	case *enginev1.RunUpdate_Progress:
		p := m.Progress
		return Update{Kind: Progress, Step: p.GetStep(), Message: p.GetMessage(), Fraction: p.GetFraction()}, true
	case *enginev1.RunUpdate_Waiting:
		return waitingOf(m.Waiting), true
	case *enginev1.RunUpdate_Succeeded:
		return Update{Kind: Succeeded, Output: m.Succeeded.GetOutput()}, true
	case *enginev1.RunUpdate_Failed:
		return failedOf(m.Failed), true
	}
	return Update{}, false
}

func stateOf(m *enginev1.GetResponse) Update {
	switch m := m.State.(type) {
	case *enginev1.GetResponse_Running:
		return Update{Kind: Running, RunID: m.Running.GetRunId()}
	case *enginev1.GetResponse_Waiting:
		return waitingOf(m.Waiting)
	case *enginev1.GetResponse_Succeeded:
		return Update{Kind: Succeeded, Output: m.Succeeded.GetOutput()}
	case *enginev1.GetResponse_Failed:
		return failedOf(m.Failed)
	}
	return Update{Kind: Unknown}
}

func waitingOf(m *enginev1.Waiting) Update {
	return Update{Kind: Waiting, Prompt: m.GetPrompt(), Schema: m.GetSchema()}
}

func failedOf(m *enginev1.Failed) Update {
	u := Update{Kind: Failed, Message: m.GetMessage(), RetryAfter: max(0, m.GetRetryAfter().AsDuration())}
	switch m.GetKind() {
	case enginev1.FailureKind_FAILURE_KIND_PERMANENT:
		u.Failure = Permanent
	case enginev1.FailureKind_FAILURE_KIND_THROTTLED:
		u.Failure = Throttled
	}
	return u
}

func descriptionOf(m *enginev1.DescribeResponse) Description {
	d := Description{Name: m.GetName(), Version: m.GetVersion()}
	for _, ability := range m.GetAbilities() {
		switch ability {
		case enginev1.Ability_ABILITY_CHECK:
			d.CanCheck = true
		case enginev1.Ability_ABILITY_GET:
			d.CanGet = true
		case enginev1.Ability_ABILITY_ANSWER:
			d.CanAnswer = true
		}
	}
	for _, w := range m.GetWorkflows() {
		d.Workflows = append(d.Workflows, Workflow{Name: w.GetName(), Description: w.GetDescription(), InputSchema: w.GetInputSchema()})
	}
	return d
}

func problemsOf(list []*enginev1.Problem) []Problem {
	var problems []Problem
	for _, p := range list {
		problems = append(problems, Problem{Path: p.GetPath(), Message: p.GetMessage()})
	}
	return problems
}

// check is for engines that can't: a workflow that is not in the list, where
// there is one, is unknown.
func (d Description) check(workflow string) []Problem {
	if len(d.Workflows) == 0 {
		return nil
	}
	for _, w := range d.Workflows {
		if w.Name == workflow {
			return nil
		}
	}
	return []Problem{{Message: "unknown workflow " + strconv.Quote(workflow)}}
}
