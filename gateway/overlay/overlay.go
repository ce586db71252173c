// Package overlay is the configuration in the words of those who subscribe and
// schedule while the gateway runs. It turns what they ask for into entries that
// are laid over the file, and tells what stands there, in the file and over it.
// It is between api, which asks, and gateway, which puts entries in force.
package overlay

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/event-gateway/gateway/gateway/api/ask"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/config/write"
)

// What may be made while the gateway runs: each change reads all of it again.
const (
	maxEntries = 10_000
	maxBytes   = 16 << 20
)

// Subscribe makes the entry of a route.
func Subscribe(doc *config.Document, in ask.Subscribing, now time.Time) (config.Entry, error) {
	held := routes(doc)
	for _, r := range held {
		if !r.takes(doc, in.EventType, in.Workflow) {
			continue
		}
		return config.Entry{}, ask.Refuse(http.StatusConflict, "Workflow %s is already subscribed to event %s, by %s", in.Workflow, in.EventType, r.origin())
	}
	fields := []write.Field{{Key: "events", Value: []string{in.EventType}}, {Key: "run", Value: in.Workflow}}
	if in.Config != nil {
		fields = append(fields, write.Field{Key: "with", Value: write.Constant{Value: in.Config}})
	}
	_, workflow, named := strings.Cut(in.Workflow, "/")
	if !named {
		workflow = in.Workflow
	}
	return entry(doc, "routes.", in.EventType+"-"+workflow, fields, now)
}

// Schedule makes the entry of a schedule.
func Schedule(doc *config.Document, in ask.Scheduling, now time.Time) (config.Entry, error) {
	for _, s := range schedules(doc) {
		if s.value.Type == in.EventType {
			return config.Entry{}, ask.Refuse(http.StatusConflict, "Event %s already scheduled, by %s", in.EventType, s.origin())
		}
	}
	fields := []write.Field{{Key: "every", Value: config.Duration(in.Interval).String()}, {Key: "type", Value: in.EventType}}
	if in.Payload != nil {
		fields = append(fields, write.Field{Key: "data", Value: in.Payload})
	}
	return entry(doc, "schedules.", in.EventType, fields, now)
}

// Unsubscribe finds the entry that starts a workflow for a type of events.
func Unsubscribe(doc *config.Document, eventType, workflow string) (name string, err error) {
	err = ask.Refuse(http.StatusNotFound, "No subscription found for event %s and workflow %s", eventType, workflow)
	for _, r := range routes(doc) {
		switch {
		case !r.takes(doc, eventType, workflow):
		case r.made:
			return "routes." + r.name, nil
		default:
			err = declared("routes." + r.name)
		}
	}
	return "", err
}

// Unschedule finds the entry that makes a type of events by the clock.
func Unschedule(doc *config.Document, eventType string) (name string, err error) {
	err = ask.Refuse(http.StatusNotFound, "No scheduled event found for %s", eventType)
	for _, s := range schedules(doc) {
		switch {
		case s.value.Type != eventType:
		case s.made:
			return "schedules." + s.name, nil
		default:
			err = declared("schedules." + s.name)
		}
	}
	return "", err
}

func declared(name string) error {
	return ask.Refuse(http.StatusConflict, "%s is declared in the configuration file: change it there", name)
}

// held is a route or schedule with where it stands.
type held[V any] struct {
	name string
	// made while the gateway ran; aside: and not in force.
	made, aside bool
	value       V
}

func (h held[V]) origin() string {
	switch {
	case h.aside:
		return h.name + ", which was set aside: delete it first"
	case h.made:
		return h.name
	}
	return h.name + " of the configuration file"
}

type heldRoute struct{ held[config.Route] }

// takes tells whether the route is that of a pair of event type and workflow.
func (r heldRoute) takes(doc *config.Document, eventType, workflow string) bool {
	var want config.Target
	if want.UnmarshalText([]byte(workflow)) != nil {
		return false // nothing like it can be there
	}
	engine := doc.Config.Defaults.Engine
	return slices.Contains(r.value.Events, eventType) && r.value.Run.Workflow == want.Workflow &&
		cmp.Or(r.value.Run.Engine, engine) == cmp.Or(want.Engine, engine)
}

// routes lists those in force and those set aside, by name.
func routes(doc *config.Document) (list []heldRoute) {
	for name, r := range doc.Config.Routes {
		list = append(list, heldRoute{held[config.Route]{name: name, made: doc.Made("routes." + name), value: r}})
	}
	for _, a := range doc.Aside {
		for name, r := range a.Holds.Routes {
			if "routes."+name == a.Name {
				list = append(list, heldRoute{held[config.Route]{name: name, made: true, aside: true, value: r}})
			}
		}
	}
	slices.SortFunc(list, func(a, b heldRoute) int { return strings.Compare(a.name, b.name) })
	return list
}

func schedules(doc *config.Document) (list []held[config.Schedule]) {
	for name, s := range doc.Config.Schedules {
		list = append(list, held[config.Schedule]{name: name, made: doc.Made("schedules." + name), value: s})
	}
	for _, a := range doc.Aside {
		for name, s := range a.Holds.Schedules {
			if "schedules."+name == a.Name {
				list = append(list, held[config.Schedule]{name: name, made: true, aside: true, value: s})
			}
		}
	}
	slices.SortFunc(list, func(a, b held[config.Schedule]) int { return strings.Compare(a.name, b.name) })
	return list
}

func entry(doc *config.Document, section, text string, fields []write.Field, now time.Time) (config.Entry, error) {
	e := config.Entry{Name: free(doc, section, nameOf(text)), At: now.UTC().Truncate(time.Microsecond)}
	var err error
	if e.Text, err = write.Entry(e.Name, fields...); err != nil {
		return e, err
	}
	size := len(e.Text)
	for _, other := range doc.Overlay {
		size += len(other.Text)
	}
	if len(doc.Overlay) >= maxEntries || size > maxBytes {
		return e, ask.Refuse(http.StatusUnprocessableEntity, "too much was made while the gateway runs, at most %d entries and %d bytes: move them to the file", maxEntries, maxBytes)
	}
	return e, nil
}

// free is a name that nothing has.
func free(doc *config.Document, section, name string) string {
	taken := map[string]bool{}
	for _, e := range doc.Overlay {
		taken[e.Name] = true
	}
	for other := range doc.Config.Routes {
		taken["routes."+other] = true
	}
	for other := range doc.Config.Schedules {
		taken["schedules."+other] = true
	}
	for n, found := 2, section+name; ; n++ {
		if !taken[found] {
			return found
		}
		found = section + name + "-" + strconv.Itoa(n)
	}
}

// maxName leaves room for a number after it.
const maxName = 55

// nameOf makes a name of what stands for itself: letters, digits, - and _.
func nameOf(text string) string {
	parts := strings.FieldsFunc(text, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	name := strings.Join(parts, "-")
	name = strings.Trim(name[:min(len(name), maxName)], "-_")
	return cmp.Or(name, "event")
}
