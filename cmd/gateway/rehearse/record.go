package rehearse

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/rehearse"
	"github.com/event-gateway/gateway/gateway/rehearse/record"
	"github.com/event-gateway/gateway/gateway/rehearse/script"
	"github.com/event-gateway/gateway/gateway/rehearse/stage"
)

// stored is an event of the running gateway, and the routes that it took there.
func (d *Desk) stored(ctx context.Context, id string) (e *script.Event, took []string, err error) {
	c, err := d.Client()
	if err != nil {
		return nil, nil, err
	}
	text, err := c.Call(ctx, "GET", "/api/v1/events/"+url.PathEscape(id), nil)
	if err != nil {
		return nil, nil, err
	}
	if e, err = script.ParseEvent(text); err != nil {
		return nil, nil, err
	}
	var became struct{ Deliveries []struct{ Route string } }
	if err := decodeAnswer(text, &became); err != nil {
		return nil, nil, err
	}
	for _, one := range became.Deliveries {
		took = append(took, one.Route)
	}
	slices.Sort(took)
	return e, took, nil
}

// record makes a case of an event of the running gateway.
func (d *Desk) record(ctx context.Context, f testFlags) error {
	e, took, err := d.stored(ctx, f.record)
	if err != nil {
		return err
	}
	clean, err := record.Redact(e, f.redact)
	if err != nil {
		return err
	}
	s := &script.Script{}
	on, _, err := setting{path: d.Config(), env: nothing, now: s.Begins()}.build(nil)
	if err != nil {
		return err
	}
	verdicts, err := perform(ctx, on, &script.Cast{Given: clean.Event, At: s.Begins(), Case: script.Case{Event: clean.Event}})
	if err != nil {
		return err
	}
	text, err := clean.Case(e.Type+" "+e.ID, verdicts.Routes)
	if err != nil {
		return err
	}
	path := filepath.Join(f.folder, "recorded", fileName(e.Type+"-"+e.ID)+".yaml")
	if err := writeNew(path, text); err != nil {
		return err
	}
	d.tellRecorded(path, clean, verdicts.Routes, took)
	return nil
}

func (d *Desk) tellRecorded(path string, clean *record.Clean, verdicts []rehearse.Verdict, took []string) {
	fmt.Fprintln(d.Out, screen.Line(path))
	if len(clean.Places) > 0 {
		fmt.Fprintf(d.Err, "gateway: left out: %s\n", screen.Line(strings.Join(clean.Places, ", ")))
	}
	var now []string
	for _, v := range verdicts {
		if v.Matched {
			now = append(now, v.Route)
		}
	}
	if !slices.Equal(now, took) {
		fmt.Fprintf(d.Err, "gateway: with this configuration it takes %s, there it took %s\n", listed(now), listed(took))
	}
	fmt.Fprintln(d.Err, "gateway: read it before it is committed: redaction goes by what things look like")
}

func listed(names []string) string {
	if len(names) == 0 {
		return "no route"
	}
	return screen.Line(strings.Join(names, ", "))
}

func nothing(string) (string, bool) { return "", false }

// fileName keeps of a text what any file system takes.
func fileName(text string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("-_.", r):
			return r
		}
		return '_'
	}, text)
	const longest = 100
	return strings.TrimLeft(name[:min(len(name), longest)], ".")
}

// told is what routes make of what came in.
type told struct {
	*stage.Outcome
	// Event that came of it; nil when none did.
	Event  *script.Event
	Routes []rehearse.Verdict
}

// perform plays a case and asks all routes about the event that comes of it.
func perform(ctx context.Context, on *stage.Stage, c *script.Cast) (*told, error) {
	out, err := on.Perform(ctx, c)
	if err != nil {
		return nil, err
	}
	t := &told{Outcome: out}
	if len(out.Entries) > 0 {
		ev := out.Entries[0].Event
		t.Event = &script.Event{Type: ev.Type, Source: ev.Source, ID: ev.ID}
		t.Routes = rehearse.Explain(on.Routes, ev)
	}
	return t, nil
}
