package e2e

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// twoEngines has a victim, whose events ask for faults, and a bystander.
const twoEngines = `
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: {path: ./data}
engines:
  victim:
    plugin: ENGINE
    env: {GATEWAY_TEST_PIDS: DIR/out/pids}
    config: {journal: DIR/out/victim, delay: 300}
    limits: {timeout: 60s}
  bystander:
    plugin: ENGINE
    env: {GATEWAY_TEST_PIDS: DIR/out/pids}
    config: {journal: DIR/out/bystander, delay: 2}
webhooks:
  victim: {scheme: github, secrets: ["${env:E2E_SECRET}"], type: '"victim." + event.data.do'}
  bystander: {scheme: github, secrets: ["${env:E2E_SECRET}"], type: '"bystander"'}
routes:
  victim:
    events: [victim.note]
    run: victim/note
    with: {route: victim}
    retry: {attempts: 1}
  fault:
    events: [victim.fault]
    run: victim/fault
    with: {route: fault, fault: "${{ event.data.fault }}"}
    retry: {attempts: 1}
  bystander:
    events: [bystander]
    run: bystander/note
    with: {route: bystander}
    retry: {attempts: 1}
`

// withMarker adds a webhook to a configuration.
func withMarker(yaml string) string {
	return strings.Replace(yaml, "webhooks:", "webhooks:\n  marker: {scheme: github, secrets: [\"${env:E2E_SECRET}\"]}", 1)
}

// An engine that hangs keeps nobody from changing the rest.
func TestReloadWhileEngineHangs(t *testing.T) {
	t.Parallel()
	s := newSite(t, twoEngines)
	l := s.start()
	if err := syscall.Kill(l.enginePID(t, "victim"), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s.changesSoon(l)
	l.stop(t)
	s.nothingLeft(time.Second)
}

// An engine that is down keeps nobody from changing the rest; only routes that
// are new to it must wait for it.
func TestReloadWhileEngineIsDown(t *testing.T) {
	t.Parallel()
	s := newSite(t, strings.Replace(twoEngines, "limits: {timeout: 60s}", "limits: {restarts: 1/1m}", 1))
	l := s.start()
	for range 2 {
		if err := syscall.Kill(l.enginePID(t, "victim"), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		until(t, 10*time.Second, "the victim is seen to be down", func() bool { return !l.status(t).Engines[1].Up })
	}
	until(t, 10*time.Second, "the victim is in a crash loop", func() bool { return l.status(t).Engines[1].State == "crash_loop" })
	if a := l.mustSend(t, "victim", "1", `{"do":"note"}`); a.Code != http.StatusAccepted {
		t.Errorf("an event for an engine that is down: %+v", a)
	}
	s.changesSoon(l)
	if n := l.status(t).Store.Pending; n != 1 {
		t.Errorf("%d deliveries wait for the engine", n)
	}
	s.write(withMarker(strings.Replace(twoEngines, "events: [victim.note]", "events: [victim.note, victim.more]", 1)))
	if code, problems := l.reload(t); code != http.StatusOK {
		t.Errorf("a change of what starts a workflow: %d %v", code, problems)
	}
	l.stop(t)
	s.nothingLeft(time.Second)
}

// changesSoon adds a webhook, which has to go live within some seconds.
func (s *site) changesSoon(l *life) {
	s.t.Helper()
	text := s.read()
	s.write(withMarker(text))
	began := time.Now()
	code, problems := l.reload(s.t)
	if took := time.Since(began); code != http.StatusOK || took > 8*time.Second {
		s.t.Errorf("reload: %d %v after %v", code, problems, took)
	}
	if a := l.mustSend(s.t, "marker", "m", `{}`); a.Code != http.StatusAccepted {
		s.t.Errorf("the new webhook: %+v", a)
	}
}

// A reload that waits for an engine does not keep the gateway from stopping.
func TestStopDuringReload(t *testing.T) {
	t.Parallel()
	s := newSite(t, twoEngines)
	l := s.start()
	s.replace(s.path("slow"), []byte("#!/bin/sh\ntouch out/pids/$$\nexec sleep 600\n"), 0o700)
	started := len(s.engines())
	s.write(strings.Replace(twoEngines, "engines:", "engines:\n  slow: {plugin: DIR/slow, limits: {start_timeout: 10m}}", 1))
	until(t, 10*time.Second, "the slow engine starts", func() bool { return len(s.engines()) > started })
	l.signal(t, syscall.SIGTERM)
	if code := l.wait(t, 20*time.Second); code != 0 {
		t.Errorf("exit code %d:\n%s", code, l.output.text())
	}
	s.nothingLeft(time.Second)
}
