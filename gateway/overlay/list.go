package overlay

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/api"
	"github.com/event-gateway/gateway/gateway/api/ask"
	"github.com/event-gateway/gateway/gateway/api/declare"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/config/write"
)

// Origin tells where an entry that is in force, such as routes.deploy-main, was
// declared.
func Origin(doc *config.Document, name string) string {
	if doc.Made(name) {
		return declare.OriginAPI
	}
	return declare.OriginFile
}

// Subscriptions are the routes in force, by the types of events they take.
func Subscriptions(doc *config.Document) map[string][]declare.Subscription {
	at := created(doc)
	all := map[string][]declare.Subscription{}
	for _, r := range routes(doc) {
		if r.aside || !r.value.Enabled {
			continue
		}
		path := "routes." + r.name
		one := declare.Subscription{
			WorkflowID: workflow(doc, r), Config: doc.Written(path + ".with"),
			CreatedAt: at[path], Origin: Origin(doc, path), Route: r.name,
		}
		if r.made {
			one.Config = config.Redact(write.Given(r.value.With))
		}
		if one.Config == nil {
			one.Config = map[string]any{}
		}
		for _, event := range r.value.Events {
			all[event] = append(all[event], one)
		}
	}
	return all
}

// workflow is as short as it was: without the default engine.
func workflow(doc *config.Document, r heldRoute) string {
	if r.value.Run.Engine == doc.Config.Defaults.Engine {
		return r.value.Run.Workflow
	}
	return r.value.Run.Engine + "/" + r.value.Run.Workflow
}

// created is when each entry was made.
func created(doc *config.Document) map[string]*time.Time {
	at := make(map[string]*time.Time, len(doc.Overlay))
	for _, e := range doc.Overlay {
		at[e.Name] = &e.At
	}
	return at
}

// Schedules are the schedules in force, by the type of their events, as they
// stand: of several with one type the one that is due next.
func Schedules(doc *config.Document, standing []api.ScheduleStatus) map[string]declare.Scheduled {
	now := map[string]api.ScheduleStatus{}
	for _, s := range standing {
		now[s.Name] = s
	}
	at := created(doc)
	all := map[string]declare.Scheduled{}
	for _, s := range schedules(doc) {
		if s.aside {
			continue
		}
		path := "schedules." + s.name
		one := declare.Scheduled{
			StartedAt: at[path], LastRun: moment(now[s.name].Last), NextRun: moment(now[s.name].Next),
			Payload: doc.Written(path + ".data"), Origin: Origin(doc, path), Paused: now[s.name].Paused, Schedule: s.name,
		}
		if s.made {
			one.Payload = config.Redact(plain(s.value.Data))
		}
		if s.value.Cron != "" {
			one.Cron = &s.value.Cron
		} else {
			one.IntervalSeconds = new(time.Duration(s.value.Every).Seconds())
		}
		if other, ok := all[s.value.Type]; !ok || sooner(one.NextRun, other.NextRun) {
			all[s.value.Type] = one
		}
	}
	return all
}

func plain(data []byte) (v any) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	_ = d.Decode(&v) // nothing, or what was written as JSON
	return v
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func sooner(a, b *time.Time) bool { return a != nil && (b == nil || a.Before(*b)) }

// Export is what was made while the gateway ran and is in force, as it would
// stand in the file.
func Export(doc *config.Document) (string, error) {
	var texts [][]byte
	for _, e := range doc.Overlay {
		if doc.Made(e.Name) {
			texts = append(texts, e.Text)
		}
	}
	text, err := write.Merge(texts)
	return string(text), err
}

// Entries lists what was made while the gateway ran, oldest first.
func Entries(doc *config.Document) (list []ask.OverlayEntry) {
	for _, e := range doc.Overlay {
		list = append(list, ask.OverlayEntry{Name: e.Name, CreatedAt: e.At, InForce: doc.Made(e.Name)})
	}
	for _, a := range SetAside(doc) {
		for i := range list {
			if list[i].Name == a.Name {
				list[i] = a
			}
		}
	}
	return list
}

// SetAside lists those of them that are not in force.
func SetAside(doc *config.Document) (list []ask.OverlayEntry) {
	for _, a := range doc.Aside {
		list = append(list, ask.OverlayEntry{Name: a.Name, CreatedAt: a.At, Problems: Problems(a.Problems)})
	}
	return list
}

// Problems are those of a configuration in the API's words.
func Problems(problems config.Problems) (list []api.ConfigProblem) {
	for _, p := range problems {
		list = append(list, api.ConfigProblem{
			File: p.File, Line: p.Line, Col: p.Col, EndCol: p.EndCol, Path: p.Path,
			Message: p.Message, Hint: p.Hint, Severity: string(p.Severity),
		})
	}
	return list
}

// Subscribed is the subscription that an entry has become.
func Subscribed(in ask.Subscribing, e config.Entry) declare.Subscription {
	s := declare.Subscription{WorkflowID: in.Workflow, Config: config.Redact(in.Config), CreatedAt: &e.At, Origin: declare.OriginAPI}
	if in.Config == nil {
		s.Config = map[string]any{}
	}
	_, s.Route, _ = strings.Cut(e.Name, ".")
	return s
}
