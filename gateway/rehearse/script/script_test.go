package script_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/event-gateway/gateway/gateway/config/files"
	"github.com/event-gateway/gateway/gateway/rehearse/script"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// load reads a file of cases that lies among a request and two events.
func load(t *testing.T, text string) (*script.Script, script.Problems) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "push.http"), "POST /hooks/x?a=1 HTTP/1.1\nHost: h\n\n{}")
	write(t, filepath.Join(dir, "event.json"), `{"type":"t","id":"1","datacontenttype":"text/plain","data_base64":"aGk=","cursor":"c","routed":1,"deliveries":[{}]}`)
	write(t, filepath.Join(dir, "bad.json"), `{"type":"t","idd":"1"}`)
	t.Chdir(dir)
	write(t, "c.yaml", text)
	return script.Load("c.yaml", files.NewSet())
}

func TestProblems(t *testing.T) {
	const fine = "    event: {type: t}\n    expect: {}\n"
	for _, test := range []struct{ name, text, want string }{
		{"unknown key", "cases:\n  a:\n    evnt: {}\n    expect: {}\n", `c.yaml:3:5: cases.a.evnt: unknown key "evnt" (did you mean "event"?)`},
		{"wrong name", "tests:\n  a:\n" + fine, `c.yaml:1:1: tests: unknown key "tests" (did you mean "cases"?)`},
		{"twice", "cases:\n  a:\n" + fine + "  a:\n" + fine, "c.yaml:5:3: cases.a: is defined twice, first at line 2"},
		{"nothing comes in", "cases:\n  a: {expect: {}}\n", "c.yaml:2:3: cases.a: needs one of event, request and schedule"},
		{"two come in", "cases:\n  a:\n    request: push.http\n" + fine, "c.yaml:2:3: cases.a: needs one of event, request and schedule"},
		{"expects nothing", "cases:\n  a: {event: {type: t}}\n", "c.yaml:2:3: cases.a: expect is missing"},
		{"no type", "cases:\n  a: {event: {data: 1}, expect: {}}\n", "c.yaml:2:7: cases.a.event: type is missing"},
		{"data twice", "cases:\n  a: {event: {type: t, data: 1, body: x}, expect: {}}\n", "c.yaml:2:39: cases.a.event.body: data is given too: choose one"},
		{"no request", "cases:\n  a: {request: nope.http, expect: {}}\n", `cases.a.request.file: file "nope.http": does not exist`},
		{"no JSON", "cases:\n  a: {event: push.http, expect: {}}\n", `cases.a.event.file: file "push.http": not an event as JSON: `},
		{"bad event", "cases:\n  a: {event: bad.json, expect: {}}\n", `file "bad.json": not an event as JSON: unknown field "idd"`},
		{"file and more", "cases:\n  a: {event: {file: event.json, id: x}, expect: {}}\n", "c.yaml:2:37: cases.a.event.id: goes without file"},
		{"nowhere", "cases:\n  a: {request: {body: x}, expect: {}}\n", "c.yaml:2:7: cases.a.request: needs file, webhook or path"},
		{"signed by whom", "cases:\n  a: {request: {path: /x, sign: true}, expect: {}}\n", "cases.a.request.sign: needs webhook, which says how"},
		{"odd switch", "cases:\n  a: {request: {webhook: x, sign: maybe}, expect: {}}\n", `cases.a.request.sign: want true or false, got "maybe"`},
		{"odd address", "cases:\n  a: {request: {webhook: x, from: here}, expect: {}}\n", "cases.a.request.from: want an address like 203.0.113.7"},
		{"backwards", "cases:\n  a: {schedule: {name: n, from: 2026-01-02T00:00:00Z, until: 2026-01-01T00:00:00Z}, expect: {}}\n", "cases.a.schedule.until: is not after from"},
		{"both ways", "cases:\n  a: {event: {type: t}, expect: {routes: {r: }, not: {r: when}}}\n", "cases.a.expect.not.r: is among routes too"},
		{"no reason", "cases:\n  a: {event: {type: t}, expect: {not: {r: 5}}}\n", "cases.a.expect.not.r: want the step that keeps it out"},
		{"an answer to whom", "cases:\n  a: {event: {type: t}, expect: {status: 202}}\n", "cases.a.expect.status: goes with request"},
		{"firings of what", "cases:\n  a: {event: {type: t}, expect: {firings: []}}\n", "cases.a.expect.firings: goes with schedule"},
		{"environment", "cases:\n  a: {event: {type: \"${env:HOME}\"}, expect: {}}\n", "environment variable HOME is not set"},
		{"no file", "", "c.yaml:1:1: the file is empty (cases: is missing)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, problems := load(t, test.text)
			if !problems.Failed() || !strings.Contains(problems.Error(), test.want) {
				t.Errorf("got\n%v\nwant %s", problems, test.want)
			}
		})
	}
}

func TestCasts(t *testing.T) {
	s, problems := load(t, `at: 2026-02-03T04:05:06Z
cases:
  recorded: {request: push.http, expect: {status: 202}}
  stored:
    at: 2027-01-01T00:00:00Z
    event: event.json
    expect: {routes: {"r": }}
`)
	if problems != nil || len(s.Casts) != 2 {
		t.Fatal(problems, s.Casts)
	}
	a, b := s.Casts[0], s.Casts[1]
	if a.Name != "recorded" || a.Line() != 3 || a.Recorded.Target != "/hooks/x?a=1" || a.At.Format("2006") != "2026" || !a.Case.Expect.Exact || !a.Has("expect.status") || a.Has("expect.reason") {
		t.Errorf("%+v %+v", a, a.Recorded)
	}
	if e := b.Given; b.At.Year() != 2027 || e.Type != "t" || e.Source != "/api" || string(e.Bytes()) != "hi" || e.ContentType != "text/plain" {
		t.Errorf("%+v %+v", b, b.Given)
	}
	if p := b.Problem("expect.routes.r", "m"); p.String() != "c.yaml:7:23: expect.routes.r: m" {
		t.Error(p)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.yaml", "deep/er/b.yml", "x.http", ".hidden.yaml", ".git/c.yaml"} {
		write(t, filepath.Join(dir, name), "")
	}
	found, err := script.Find(dir)
	if err != nil || len(found) != 2 || filepath.Base(found[0]) != "a.yaml" || filepath.Base(found[1]) != "b.yml" {
		t.Errorf("%v %v", found, err)
	}
	if _, err := script.Find(filepath.Join(dir, "nope")); !os.IsNotExist(err) {
		t.Error(err)
	}
}

func TestParseRequest(t *testing.T) {
	for _, test := range []struct{ text, target, body, header string }{
		{"POST /x HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nContent-Length: 4\r\n\r\n{\n}\n", "/x", "{\n}\n", "1"},
		{"POST /x?q=%20 HTTP/1.1\nX-A: 1\nContent-Length: 2\n\n{}\n", "/x?q=%20", "{}", "1"},
		{"PUT /x\nX-A: 1\n\n{}\n", "/x", "{}\n", "1"},
		{"GET /x HTTP/1.1\n", "/x", "", ""},
		{"POST /x HTTP/1.1\r\nX-A: 1\r\n\r\nline\n\nline", "/x", "line\n\nline", "1"},
		{"POST /x HTTP/1.1\nX-A: 1\n\na\r\n\r\nb", "/x", "a\r\n\r\nb", "1"},
	} {
		r, err := script.ParseRequest([]byte(test.text))
		if err != nil || r.Target != test.target || string(r.Body) != test.body || r.Header.Get("X-A") != test.header {
			t.Errorf("%q: %+v %v", test.text, r, err)
		}
	}
	for text, want := range map[string]string{
		"":                       "not a request",
		"hello there world":      "not a request",
		"POST /x HTTP/1.1\nno\n": "not a request",
		"POST /x HTTP/1.1\nContent-Length: 3\n\n{}":  "Content-Length is 3, and the body has 2 bytes",
		"POST /x HTTP/1.1\nContent-Length: 1\n\n{}":  "Content-Length is 1, and the body has 2 bytes",
		"POST /x HTTP/1.1\nContent-Length: -1\n\n{}": "not a",
	} {
		if _, err := script.ParseRequest([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"))
	f.Add([]byte("GET /x\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, err := script.ParseRequest(text); err == nil && (r.Method == "" || r.Header == nil || len(r.Body) > len(text)) {
			t.Errorf("%+v", r)
		}
	})
}
