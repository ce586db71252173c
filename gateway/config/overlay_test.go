package config

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const under = `version: 1
engines: {exec: {plugin: ./exec}}
defaults: {engine: exec, retry: {attempts: 3}}
webhooks: {in: {scheme: github, secrets: ["${env:SECRET}"]}}
routes:
  own: {events: [a], run: exec/w}
schedules:
  own: {every: 5m}
`

func made(name, text string) Entry {
	return Entry{Name: name, Text: []byte(text), At: time.Unix(1, 0)}
}

func laid(t *testing.T, entries ...Entry) (*Document, Problems) {
	t.Helper()
	opts := testOptions()
	opts.Overlay = entries
	doc, problems := parseText(under, opts)
	if problems.Failed() {
		t.Fatalf("what is laid over a file refused it: %s", problems)
	}
	return doc, problems
}

// What is laid over a file is what it would be in it.
func TestOverlay(t *testing.T) {
	t.Parallel()
	route := "routes:\n  pay: {events: [paid], run: settle, with: {a: '$${env:SECRET}'}}\n"
	schedule := "schedules: {daily: {every: 1d, type: report}}"
	doc, problems := laid(t, made("routes.pay", route), made("schedules.daily", schedule))
	if len(problems) > 0 || len(doc.Aside) > 0 {
		t.Fatalf("%s, aside %v", problems.Text(), doc.Aside)
	}
	inside, _ := parseText(strings.Replace(under, "routes:\n", route, 1)+"  daily: {every: 1d, type: report}\n", testOptions())
	if diff := cmp.Diff(inside.Config.Routes, doc.Config.Routes); diff != "" {
		t.Errorf("routes: %s", diff)
	}
	if diff := cmp.Diff(inside.Config.Schedules, doc.Config.Schedules); diff != "" {
		t.Errorf("schedules: %s", diff)
	}
	for name, want := range map[string]bool{"routes.pay": true, "schedules.daily": true, "routes.own": false, "routes.daily": false} {
		if doc.Made(name) != want {
			t.Errorf("%s made while it ran: %t", name, !want)
		}
	}
	if p := doc.Problem("routes.pay.events[0]", "m", ""); p.File != "overlay/routes.pay" || p.Line != 2 || p.Col != 18 {
		t.Errorf("a problem in it is at %s", p)
	}
	if p := doc.Problem("routes.own.events[0]", "m", ""); p.File != "gateway.yaml" || p.Line != 6 {
		t.Errorf("a problem in the file is at %s", p)
	}
	files, overlay := doc.Texts()
	if diff := cmp.Diff([]Text{{Name: "routes.pay", Text: route}, {Name: "schedules.daily", Text: schedule}}, overlay); diff != "" {
		t.Errorf("overlay as it is kept: %s", diff)
	}
	if diff := cmp.Diff([]Text{{Name: "gateway.yaml", Text: under}}, files); diff != "" {
		t.Errorf("file as it is kept: %s", diff)
	}
}

// What is not sound is set aside, and nothing else with it.
func TestOverlaySetsAside(t *testing.T) {
	t.Parallel()
	good := made("routes.good", "routes: {good: {events: [a], run: w}}")
	for name, c := range map[string]struct{ name, text, want string }{
		"not YAML":      {"routes.x", "routes: {x: [", `overlay/routes.x:1:9: warning: set aside: "{" is not closed on its line`},
		"bytes":         {"routes.x", "\xff\xfe", "overlay/routes.x:1:1: warning: set aside: is not UTF-8 text"},
		"empty":         {"routes.x", "", "overlay/routes.x:1:1: warning: set aside: the file is empty"},
		"unknown key":   {"routes.x", "routes: {x: {events: [a], run: w, wen: b}}", "overlay/routes.x:1:35: warning: routes.x.wen: set aside: unknown key"},
		"other section": {"routes.x", "engines: {x: {plugin: /bin/sh}}", "overlay/routes.x:1:1: warning: engines: set aside: unknown key"},
		"other name":    {"routes.x", "routes: {y: {events: [a], run: w}}", "overlay/routes.x:1:1: warning: routes.x: set aside: is not routes.x and nothing else"},
		"one more":      {"routes.x", "routes: {x: {events: [a], run: w}, y: {events: [a], run: w}}", "set aside: is not routes.x and nothing else"},
		"with schedule": {"routes.x", "routes: {x: {events: [a], run: w}}\nschedules: {x: {every: 5s}}", "set aside: is not routes.x and nothing else"},
		"under a route": {"routes.x", "schedules: {x: {every: 5s}}", "set aside: is not routes.x and nothing else"},
		"no engine":     {"routes.x", "routes: {x: {events: [a], run: gone/w}}", `routes.x.run: set aside: no engine named "gone"`},
		"declared":      {"routes.own", "routes: {own: {events: [b], run: w}}", "overlay/routes.own:1:10: warning: routes.own: set aside: the file has an entry of this name, at line 6, and counts"},
		"schedule":      {"schedules.x", "schedules: {x: {every: 5s, cron: '* * * * *'}}", "schedules.x.every: set aside: cron is given too"},
		"own schedule":  {"schedules.own", "schedules: {own: {every: 5s}}", "the file has an entry of this name, at line 8"},
		"nothing":       {"x", "routes: {x: {events: [a], run: w}}", "set aside: is not x and nothing else"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, problems := laid(t, good, made(c.name, c.text))
			if len(doc.Aside) != 1 || doc.Aside[0].Name != c.name || !strings.Contains(problems.Error(), c.want) {
				t.Errorf("aside %v, want %s:\n%s", doc.Aside, c.want, problems)
			}
			if !slices.Equal(sortedNames(doc.Config.Routes), []string{"good", "own"}) || !slices.Equal(sortedNames(doc.Config.Schedules), []string{"own"}) {
				t.Errorf("in force: %v, %v", sortedNames(doc.Config.Routes), sortedNames(doc.Config.Schedules))
			}
			if got := doc.Config.Routes["good"].Events; !slices.Equal(got, []string{"a"}) {
				t.Errorf("good takes %v", got)
			}
			alone, _ := laid(t, good)
			if doc.Revision != alone.Revision || len(doc.Overlay) != 2 {
				t.Error("what is set aside is part of the revision, or forgotten")
			}
		})
	}
}

func TestOverlayRevision(t *testing.T) {
	t.Parallel()
	plain, _ := parseText(under, testOptions())
	none, _ := laid(t)
	one, _ := laid(t, made("routes.x", "routes: {x: {events: [a], run: w}}"))
	other, _ := laid(t, made("routes.x", "routes: {x: {events: [b], run: w}}"))
	if plain.Revision != none.Revision || one.Revision == none.Revision || one.Revision == other.Revision {
		t.Errorf("revisions %s %s %s %s", plain.Revision, none.Revision, one.Revision, other.Revision)
	}
	if plain.Fingerprint != one.Fingerprint {
		t.Error("files have not changed, their fingerprint has")
	}
}

// Other entries need no file to be read again; what a later stage refuses of
// them goes, what it refuses of the file does not.
func TestOverlaidAndSetAside(t *testing.T) {
	t.Parallel()
	doc, _ := laid(t)
	two := []Entry{made("routes.x", "routes: {x: {events: [a], run: w}}"), made("schedules.x", "schedules: {x: {every: 5s}}")}
	doc, problems := doc.Overlaid(two)
	if len(problems) > 0 || !doc.Made("routes.x") || !doc.Made("schedules.x") {
		t.Fatalf("overlaid: %s", problems)
	}
	warning := doc.Problem("routes.x.run", "slow", "")
	warning.Severity = Warning
	if less, _ := doc.SetAside(Problems{doc.Problem("routes.own.run", "no", ""), warning}); less != nil {
		t.Error("the file's own problem or a warning set something aside")
	}
	less, problems := doc.SetAside(Problems{doc.Problem("routes.x.run", "no such workflow", "")})
	if less == nil || less.Made("routes.x") || !less.Made("schedules.x") || len(less.Aside) != 1 ||
		!strings.Contains(problems.Error(), "routes.x.run: set aside: no such workflow") {
		t.Fatalf("set aside: %v", problems)
	}
	even, problems := less.SetAside(Problems{doc.Problem("schedules.x", "never", "")})
	if even == nil || even.Made("schedules.x") || len(even.Aside) != 2 || len(problems) != 2 {
		t.Fatalf("both: %v", problems)
	}
	back, problems := even.Overlaid(two)
	if len(problems) > 0 || len(back.Aside) > 0 {
		t.Errorf("tried again: %s", problems)
	}
}

func sortedNames[V any](m map[string]V) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
