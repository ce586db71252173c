package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// withVictims is a gateway with a bystander and some victims, whose events ask
// for faults: all that a victim has, but for the webhook, is its own.
func withVictims(n int) string {
	var engines, routes strings.Builder
	for i := range n {
		fmt.Fprintf(&engines, victimEngine, victim(i))
		fmt.Fprintf(&routes, victimRoutes, victim(i))
	}
	return fmt.Sprintf(victims, engines.String(), routes.String())
}

func victim(i int) string { return fmt.Sprintf("victim-%d", i) }

const victims = `
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: {path: ./data}
engines:
  bystander:
    plugin: ENGINE
    env: {GATEWAY_TEST_PIDS: DIR/out/pids}
    config: {journal: DIR/out/bystander, delay: 2}
%[1]swebhooks:
  victim: {scheme: github, secrets: ["${env:E2E_SECRET}"], type: 'event.data.victim + "." + event.data.do'}
  bystander: {scheme: github, secrets: ["${env:E2E_SECRET}"], type: '"bystander"'}
routes:
  bystander:
    events: [bystander]
    run: bystander/note
    with: {route: bystander}
    retry: {attempts: 1}
%[2]s`

const victimEngine = `
  %[1]s:
    plugin: ENGINE
    env: {GATEWAY_TEST_PIDS: DIR/out/pids}
    config: {journal: DIR/out/%[1]s, delay: 300}
    limits: {timeout: 60s}
`

const victimRoutes = `
  %[1]s:
    events: [%[1]s.note]
    run: %[1]s/note
    with: {route: %[1]s}
    retry: {attempts: 1}
  %[1]s-fault:
    events: [%[1]s.fault]
    run: %[1]s/fault
    with: {route: fault, fault: "${{ event.data.fault }}"}
    retry: {attempts: 1}
`

const (
	// slowest is what a bystander's event may take from its sending to its run
	// while other engines suffer; two fast cores need a hundredth of it.
	slowest = 5 * time.Second
	// liveness is within what a process must be gone that has died or hangs.
	liveness = 20 * time.Second
	// jostle is what two busy cores may add to the slowest hundredth of the
	// bystander's runs. Whoever waits for a victim waits longer.
	jostle = 100 * time.Millisecond
	// atOnce is how many victims one gateway has at most.
	atOnce = 20
)

// Whatever an engine does, the other one's deliveries go on, its own use up no
// attempt and succeed in the end, and no process is left behind. Each fault is
// done by one engine, or by E2E_FAULTS, up to twenty of a gateway at once.
func TestEngineFaults(t *testing.T) {
	t.Parallel()
	times := int(fromEnv(t, "E2E_FAULTS", 1))
	for _, fault := range []struct {
		name string
		dies bool
		body int // size of what is sent after it, and in calm
	}{
		{"kill", true, 0}, {"stop", true, 0}, {"full", true, 96 << 10}, {"exit-0", true, 0}, {"exit-1", true, 0}, {"panic", true, 0}, {"slow", false, 0},
		{"garbage", false, 0}, {"flood", false, 0}, {"bad-log", false, 0}, {"grandchild", true, 0}, {"daemon", true, 0},
	} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			for left := times; left > 0; left -= atOnce {
				f := &faulty{t: t, fault: fault.name, dies: fault.dies, body: fault.body, victims: min(left, atOnce)}
				f.suffer()
			}
		})
	}
}

// faulty is a gateway whose victims all do a fault.
type faulty struct {
	t       *testing.T
	fault   string
	dies    bool
	body    int
	victims int
	site    *site
	life    *life
	// acked are the ordinary events of each victim, due when it must be gone.
	acked map[string]map[string]time.Time
	due   map[string]time.Time
}

func (f *faulty) suffer() {
	f.t.Helper()
	f.site = newSite(f.t, withVictims(f.victims))
	f.life = f.site.start()
	f.acked, f.due = map[string]map[string]time.Time{}, map[string]time.Time{}
	before := f.processes()
	bystanders := startLoad(f.site, "bystander", 2, 5*time.Millisecond, true)
	f.round("calm", "")
	used, fell := measure(f.t, f.life), time.Now()
	f.round("fault", f.fault)
	recovered := time.Now()
	f.life.flat(f.t, used)
	acquitted := bystanders.stop(f.t)
	f.life.settle(f.t, 20*time.Second)
	for name, after := range f.processes() {
		if f.dies != (after != before[name]) {
			f.t.Errorf("%s: its process was %d and is %d", name, before[name], after)
		}
	}
	f.audit(acquitted, fell, recovered)
	f.life.stop(f.t)
	f.endDetached()
	f.site.nothingLeft(time.Second)
}

// processes are those that the victims have now.
func (f *faulty) processes() map[string]int {
	f.t.Helper()
	pids := map[string]int{}
	until(f.t, 20*time.Second, "all engines are up", func() bool {
		for _, e := range f.life.status(f.t).Engines {
			if e.Up && e.Name != "bystander" {
				pids[e.Name] = e.PID
			}
		}
		return len(pids) == f.victims
	})
	return pids
}

// round has each victim do ordinary runs, with a fault among them if there is
// one, and waits until all have ended.
func (f *faulty) round(name, fault string) {
	f.t.Helper()
	pids := f.processes()
	for i := range f.victims {
		f.send(victim(i), name, fault)
	}
	if f.dies && fault != "" {
		f.mustGo(pids)
	}
	f.life.settleRoutes(f.t, 60*time.Second, f.routes())
}

func (f *faulty) send(victim, round, fault string) {
	f.t.Helper()
	rest := ""
	post := func(do string, n int) {
		id := fmt.Sprintf("%s-%s-%s-%d", victim, round, do, n)
		a := f.life.mustSend(f.t, "victim", id, fmt.Sprintf(`{"victim":%q,"do":%q,"fault":%q,"n":%d,"rest":%q}`, victim, do, fault, n, rest))
		if a.Code != 202 || a.Triggered != 1 {
			f.t.Errorf("%s: answered %+v", id, a)
		}
		if do == "note" {
			f.acked[victim][id] = time.Now()
		}
	}
	if f.acked[victim] == nil {
		f.acked[victim] = map[string]time.Time{}
	}
	for n := range 20 {
		post("note", n)
	}
	if fault != "" {
		post("fault", 0)
		f.due[victim] = time.Now().Add(liveness)
	}
	rest = strings.Repeat("x", f.body)
	for n := range 20 {
		post("note", 20+n)
	}
}

// mustGo waits until the processes are gone, each within its time.
func (f *faulty) mustGo(pids map[string]int) {
	f.t.Helper()
	for name, pid := range pids {
		for syscall.Kill(pid, 0) == nil { // also one that nobody has collected
			if time.Now().After(f.due[name]) {
				f.t.Errorf("%s: process %d is there %s after its fault", name, pid, liveness)
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func (f *faulty) routes() (names []string) {
	for i := range f.victims {
		names = append(names, victim(i), victim(i)+"-fault")
	}
	return names
}

// settleRoutes waits until every delivery of some routes has ended.
func (l *life) settleRoutes(t *testing.T, limit time.Duration, routes []string) {
	t.Helper()
	for _, route := range routes {
		until(t, limit, "the deliveries of "+route+" have ended", func() bool {
			for _, d := range l.deliveries(t, route) {
				if d.State == "pending" || d.State == "running" {
					return false
				}
			}
			return true
		})
	}
}

// audit compares what was promised with what was done, by victims and by the
// bystander, whose events were sent in calm and while the victims suffered.
func (f *faulty) audit(acquitted map[string]time.Time, fell, recovered time.Time) {
	f.t.Helper()
	for name, acked := range f.acked {
		auditRoute(f.site.journal(name), name, acked).check(f.t, name)
		if n := f.life.undisturbed(f.t, name) + f.life.undisturbed(f.t, name+"-fault"); n != len(acked)+1 {
			f.t.Errorf("%s has %d deliveries", name, n)
		}
	}
	notes := f.site.journal("bystander")
	all := auditRoute(notes, "bystander", acquitted)
	all.check(f.t, "bystander")
	if all.SameKey > 0 {
		f.t.Errorf("%d of the bystander's runs were repeated", all.SameKey)
	}
	f.life.undisturbed(f.t, "bystander")
	calm, suffering := map[string]time.Time{}, map[string]time.Time{}
	for id, sent := range acquitted {
		switch {
		case sent.Before(fell):
			calm[id] = sent
		case sent.Before(recovered):
			suffering[id] = sent
		}
	}
	f.compare(latency(notes, calm), latency(notes, suffering))
}

// enough runs to have a slowest hundredth of; beside one victim there are fewer.
const enough = 300

// compare compares how long the bystander's events took. Both were measured by
// one gateway with the same victims and the same ordinary load.
func (f *faulty) compare(calm, suffering []time.Duration) {
	f.t.Helper()
	if len(calm) == 0 || len(suffering) == 0 {
		f.t.Fatalf("%d of the bystander's events in calm, %d during %s: nothing was compared", len(calm), len(suffering), f.fault)
	}
	p99 := func(list []time.Duration) time.Duration { return list[len(list)*99/100] }
	before, during, worst := p99(calm), p99(suffering), suffering[len(suffering)-1]
	f.t.Logf("bystander beside %d victims: of %d runs in calm 99%% within %v, of %d during %s within %v, worst %v",
		f.victims, len(calm), before, len(suffering), f.fault, during, worst)
	if worst > slowest {
		f.t.Errorf("one of the bystander's runs began %v after its event was sent", worst)
	}
	if limit := before*11/10 + jostle; len(calm) >= enough && len(suffering) >= enough && during > limit {
		f.t.Errorf("99%% of the bystander's runs began within %v in calm and %v during %s, want %v", before, during, f.fault, limit)
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

// endDetached ends what victims detached from themselves: that is nobody's any
// more, and no gateway's to find.
func (f *faulty) endDetached() {
	f.t.Helper()
	notes, err := filepath.Glob(f.site.path("out/*.detached"))
	if err != nil || f.fault == "daemon" && len(notes) != f.victims {
		f.t.Errorf("%d processes were detached, %v", len(notes), err)
	}
	for _, note := range notes {
		text, err := os.ReadFile(note)
		if err != nil {
			f.t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			f.t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			f.t.Errorf("the detached process: %v", err)
		}
	}
}
