package e2e

import (
	"fmt"
	"os"
	"slices"
	"strconv"
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

// slowest is what a bystander's event may take from its sending to its run
// while the other engine suffers; two fast cores need a hundredth of it.
const slowest = 5 * time.Second

// Whatever an engine does, the other one's deliveries go on, its own use up no
// attempt and succeed in the end, and no process is left behind.
func TestEngineFaults(t *testing.T) {
	t.Parallel()
	for _, fault := range []struct {
		name string
		dies bool
	}{
		{"kill", true}, {"stop", true}, {"exit-0", true}, {"exit-1", true}, {"panic", true},
		{"garbage", false}, {"flood", false}, {"bad-log", false}, {"grandchild", true}, {"daemon", true},
	} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, twoEngines)
			l := s.start()
			before := l.enginePID(t, "victim")
			bystanders := startLoad(s, "bystander", 2, 5*time.Millisecond, true)
			acked := suffer(t, l, fault.name)
			acquitted := bystanders.stop(t)
			l.settle(t, 20*time.Second)
			if after := l.enginePID(t, "victim"); fault.dies != (after != before) {
				t.Errorf("the victim's process was %d and is %d", before, after)
			}
			l.auditFault(t, s, acked, acquitted)
			l.stop(t)
			s.endDetached()
			s.nothingLeft(time.Second)
		})
	}
}

// suffer has the victim do a fault among ordinary runs, and waits until all of
// them have ended.
func suffer(t *testing.T, l *life, fault string) map[string]time.Time {
	t.Helper()
	acked := map[string]time.Time{}
	post := func(do string, n int) {
		id := fmt.Sprintf("%s-%d", do, n)
		a := l.mustSend(t, "victim", id, fmt.Sprintf(`{"do":%q,"fault":%q,"n":%d}`, do, fault, n))
		if a.Code != 202 || a.Triggered != 1 {
			t.Errorf("%s: answered %+v", id, a)
		}
		if do == "note" {
			acked[id] = time.Now()
		}
	}
	for n := range 20 {
		post("note", n)
	}
	post("fault", 0)
	for n := range 20 {
		post("note", 20+n)
	}
	until(t, 60*time.Second, "the victim's deliveries have ended", func() bool {
		for _, d := range append(l.deliveries(t, "victim"), l.deliveries(t, "fault")...) {
			if d.State == "pending" || d.State == "running" {
				return false
			}
		}
		return true
	})
	return acked
}

func (l *life) auditFault(t *testing.T, s *site, victims, bystanders map[string]time.Time) {
	t.Helper()
	auditRoute(s.journal("victim"), "victim", victims).check(t, "victim")
	if n := l.undisturbed(t, "victim") + l.undisturbed(t, "fault"); n != len(victims)+1 {
		t.Errorf("the victim has %d deliveries", n)
	}
	notes := s.journal("bystander")
	all := auditRoute(notes, "bystander", bystanders)
	all.check(t, "bystander")
	if all.SameKey > 0 {
		t.Errorf("%d of the bystander's runs were repeated", all.SameKey)
	}
	l.undisturbed(t, "bystander")
	latencies := latency(notes, bystanders)
	worst := latencies[len(latencies)-1]
	t.Logf("bystander: %d runs, half within %v, worst %v", len(latencies), latencies[len(latencies)/2], worst)
	if worst > slowest {
		t.Errorf("one of the bystander's runs began %v after its event was sent", worst)
	}
}

// latency is how long after their sending runs began, shortest first.
func latency(notes []note, sent map[string]time.Time) (list []time.Duration) {
	for _, n := range notes {
		if at, ok := sent[n.Event]; ok && n.What == "begin" {
			list = append(list, time.Unix(0, n.At).Sub(at))
		}
	}
	slices.Sort(list)
	return list
}

// enginePID is the process that an engine has now.
func (l *life) enginePID(t *testing.T, name string) int {
	t.Helper()
	pid := 0
	until(t, 10*time.Second, "engine "+name+" is up", func() bool {
		for _, e := range l.status(t).Engines {
			if e.Name == name && e.Up {
				pid = e.PID
			}
		}
		return pid != 0
	})
	return pid
}

// endDetached ends what an engine detached from itself: that is nobody's any
// more, and no gateway's to find.
func (s *site) endDetached() {
	s.t.Helper()
	text, err := os.ReadFile(s.path("out/victim.detached"))
	if os.IsNotExist(err) {
		return
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		s.t.Errorf("the detached process: %v", err)
	}
}
