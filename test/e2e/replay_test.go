package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A replay that is interrupted again and again, by SIGKILL of the gateway and of
// itself, goes on as it says it would, and brings in every event once.
func TestReplayOverKills(t *testing.T) {
	t.Parallel()
	const events = 500
	seed := fromEnv(t, "E2E_SEED", uint64(time.Now().UnixNano()))
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("E2E_SEED=%d", seed)
	s := newSite(t, everyEvent)
	l := s.start()
	for n := range events {
		l.mustSend(t, "in", fmt.Sprintf("event-%d", n), fmt.Sprintf(`{"sender":"a","n":%d}`, n))
	}
	l.settle(t, 60*time.Second)

	command := []string{"replay", "--source", "/webhooks/in"}
	told := regexp.MustCompile(`after an interruption: gateway (replay .*)\n`)
	kills := 0
	for ; kills < 4; kills++ {
		var stderr bytes.Buffer
		c := exec.Command(built.gateway, append(command, "--admin", s.current().admin)...)
		c.Stderr = &stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		<-time.After(40*time.Millisecond + time.Duration(random.Int64N(int64(100*time.Millisecond))))
		s.current().kill(t)
		_ = c.Process.Kill()
		_ = c.Wait() // killed, or done
		if found := told.FindStringSubmatch(stderr.String()); found != nil {
			command = strings.Fields(found[1])
		}
		s.start()
	}
	if len(command) < 5 {
		t.Fatalf("it never said how to go on: %v", command)
	}
	out, err := exec.Command(built.gateway, append(command, "--admin", s.current().admin)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("%d kills, then: %s", kills, bytes.TrimSpace(out))
	last := s.current()
	last.settle(t, 60*time.Second)
	s.once(t, last, events)
}

// once: each event ran once, and its replay once, for each route.
func (s *site) once(t *testing.T, l *life, events int) {
	t.Helper()
	for _, route := range []string{"any", "ordered"} {
		runs := map[string]int{}
		for _, d := range l.deliveries(t, route) {
			of, _, is := strings.Cut(d.EventID, "~replay-")
			runs[fmt.Sprintf("%s %t", of, is)]++
			if d.State != "succeeded" {
				t.Errorf("%s of %s is %s", d.ID, d.EventID, d.State)
			}
		}
		for n := range events {
			for _, replay := range []bool{false, true} {
				if got := runs[fmt.Sprintf("event-%d %t", n, replay)]; got != 1 {
					t.Errorf("%s: event-%d, replay %t: %d deliveries, want 1", route, n, replay, got)
				}
			}
		}
		if len(runs) != 2*events {
			t.Errorf("%s: %d events, want %d", route, len(runs), 2*events)
		}
	}
}
