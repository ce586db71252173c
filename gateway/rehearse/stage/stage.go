// Package stage plays cases on a compiled configuration: through the code that
// production runs, from the bytes of a request to the deliveries that would be
// stored, with a store that only remembers. No engine, no disk, no network, and
// no clock but that of the case.
package stage

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/event"
	"github.com/event-gateway/gateway/gateway/intake"
	"github.com/event-gateway/gateway/gateway/rehearse"
	"github.com/event-gateway/gateway/gateway/rehearse/script"
	"github.com/event-gateway/gateway/gateway/route"
	"github.com/event-gateway/gateway/gateway/schedule"
	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/webhook"
)

// Stage is a compiled configuration to play cases on, one after the other.
type Stage struct {
	Webhooks  *webhook.Table
	Routes    *route.Table
	Schedules []*schedule.Schedule
	// Sign makes the request that a webhook's sender would send.
	Sign func(Unsigned) (*Signed, error)
	// Coverage remembers what cases have tried.
	Coverage *rehearse.Coverage
}

// Outcome is what became of a case.
type Outcome struct {
	// Status and Answer are those of the answer to a request, and Reason why it
	// was refused, as the metrics count it.
	Status int
	Reason string
	Answer []byte
	// Firings of a schedule.
	Firings []schedule.Firing
	// Entries are what would be stored.
	Entries []*store.Entry
}

// Result is how a case went.
type Result struct {
	Cast *script.Cast
	// Differences from what was expected; none: it passed.
	Differences script.Problems
	Took        time.Duration
}

// Play plays a case and compares what becomes of it with what it expects.
func (s *Stage) Play(ctx context.Context, c *script.Cast) Result {
	began := time.Now()
	j := &judge{Cast: c, stage: s}
	outcome, err := s.Perform(ctx, c)
	if err != nil {
		j.say("", "%s", err)
	} else {
		j.judge(outcome)
	}
	return Result{Cast: c, Differences: j.differences, Took: time.Since(began)}
}

// Perform plays a case. An error is about the case: a webhook that is not
// declared.
func (s *Stage) Perform(ctx context.Context, c *script.Cast) (*Outcome, error) {
	m := &memory{}
	in := intake.New(m, func() *intake.Rules { return &intake.Rules{Table: s.Routes} }, func(string) int { return 0 }, zap.NewNop())
	out := &Outcome{}
	var err error
	switch {
	case c.Given != nil:
		_, err = in.Accept(ctx, eventOf(c), nil, store.Digest{})
	case c.Case.Request != nil:
		err = s.request(ctx, in, c, out)
	case c.Case.Schedule != nil:
		err = s.schedule(ctx, in, c.Case.Schedule, out)
	}
	if out.Entries = m.entries; s.Coverage != nil {
		for _, e := range m.entries {
			s.Coverage.Add(s.Routes, e.Event)
		}
	}
	return out, err
}

func eventOf(c *script.Cast) *event.Event {
	from := c.Given
	ev := &event.Event{
		Type: from.Type, Source: from.Source, ID: from.ID, Subject: from.Subject, Time: from.Time.UTC(),
		ContentType: from.ContentType, Headers: from.Headers, Query: from.Query, Extensions: from.Extensions, Body: from.Bytes(),
	}
	if from.Time.IsZero() {
		ev.Time = c.At.UTC()
	}
	return ev
}

// maxFirings bounds how often a schedule fires in one case.
const maxFirings = 1000

func (s *Stage) schedule(ctx context.Context, in *intake.Intake, from *script.Schedule, out *Outcome) error {
	var found *schedule.Schedule
	names := make([]string, len(s.Schedules))
	for i, one := range s.Schedules {
		if names[i] = one.Name(); names[i] == from.Name {
			found = one
		}
	}
	if found == nil {
		return fmt.Errorf("no schedule is named %q%s", from.Name, meant(from.Name, names))
	}
	var last time.Time
	for at := from.From.Add(-1); ; {
		next := found.Firings(at, 1)
		if len(next) == 0 || next[0].Slot.After(from.Until) {
			return nil
		}
		if len(out.Firings) == maxFirings {
			return fmt.Errorf("schedule %s fires more than %d times from %s until %s", from.Name, maxFirings, moment(from.From), moment(from.Until))
		}
		out.Firings = append(out.Firings, next[0])
		if _, err := in.Fire(ctx, found.Event(next[0].Slot, last), nil); err != nil {
			return err
		}
		at, last = next[0].Slot, next[0].Slot
	}
}

func moment(t time.Time) string { return t.Format(time.RFC3339) }

// memory is a store that forgets everything with its case.
type memory struct{ entries []*store.Entry }

// Append implements intake.Store.
func (m *memory) Append(_ context.Context, e *store.Entry) (store.Receipt, error) {
	m.entries = append(m.entries, e)
	return store.Receipt{EventID: e.Event.ID, EventType: e.Event.Type, Deliveries: len(e.Deliveries)}, nil
}

// AppendAll implements intake.Store.
func (m *memory) AppendAll(ctx context.Context, es []*store.Entry) (receipts []store.Receipt, err error) {
	for _, e := range es {
		receipt, err := m.Append(ctx, e)
		if err != nil {
			return nil, err
		}
		receipts = append(receipts, receipt)
	}
	return receipts, nil
}
