package link

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/event-gateway/gateway/gateway/event"
	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// start is a start command in one piece of memory, but for its attributes:
// calls are many, and each would else be seven small objects.
type start struct {
	command  enginev1.Command
	message  enginev1.Command_Start
	start    enginev1.Start
	event    enginev1.Event
	time     timestamppb.Timestamp
	deadline timestamppb.Timestamp
	first    timestamppb.Timestamp
}

func startMessage(c Call) *start {
	m := &start{}
	m.command.Command = &m.message
	m.message.Start = &m.start
	m.start.Key = c.Key
	m.start.Workflow = c.Workflow
	m.start.Input = c.Input
	m.start.Attempt = int32(c.Attempt)
	m.start.Deadline = setTime(&m.deadline, c.Deadline)
	m.start.FirstAttemptAt = setTime(&m.first, c.FirstAttemptAt)
	if c.Event != nil {
		m.start.Event = &m.event
		m.setEvent(c.Event)
	}
	return m
}

func (m *start) setEvent(e *event.Event) {
	m.event.Id = e.ID
	m.event.Source = e.Source
	m.event.Type = e.Type
	m.event.Subject = e.Subject
	m.event.Time = setTime(&m.time, e.Time)
	m.event.Datacontenttype = e.ContentType
	m.event.Body = e.Body
	m.event.Data = e.JSON()
	m.event.Headers = attributes(e.Headers)
	m.event.Query = attributes(e.Query)
	m.event.Extensions = attributes(e.Extensions)
}

// attributes are sorted by name: the same event is the same bytes.
func attributes(values map[string]string) []*enginev1.Attribute {
	if len(values) == 0 {
		return nil
	}
	all := make([]enginev1.Attribute, len(values))
	list := make([]*enginev1.Attribute, 0, len(values))
	for name, value := range values {
		a := &all[len(list)]
		a.Name, a.Value = name, value
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b *enginev1.Attribute) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// maxSize is no less than the encoded size, and quick to know: each field has
// a tag and a length of together at most 11 bytes.
func (m *start) maxSize() int64 {
	const field, fixed = 11, 512
	e, size := &m.event, fixed
	for _, text := range []string{m.start.Key, m.start.Workflow, e.Id, e.Source, e.Type, e.Subject, e.Datacontenttype} {
		size += field + len(text)
	}
	size += len(m.start.Input) + len(e.Body) + len(e.Data)
	for _, list := range [][]*enginev1.Attribute{e.Headers, e.Query, e.Extensions} {
		for _, a := range list {
			size += 3*field + len(a.Name) + len(a.Value)
		}
	}
	return int64(size)
}

// alone is the size of a message with this command only.
func alone(m *enginev1.Command) int64 {
	return int64(proto.Size(&enginev1.RunRequest{Commands: []*enginev1.Command{m}}))
}

func setTime(to *timestamppb.Timestamp, t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	to.Seconds, to.Nanos = t.Unix(), int32(t.Nanosecond())
	return to
}

func cancelMessage(key, reason string) *enginev1.Command {
	return &enginev1.Command{Command: &enginev1.Command_Cancel{
		Cancel: &enginev1.Cancel{Key: key, Reason: reason}}}
}

func answerMessage(key string, input []byte) *enginev1.Command {
	return &enginev1.Command{Command: &enginev1.Command_Answer{
		Answer: &enginev1.Answer{Key: key, Input: input}}}
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
