package e2e

import (
	"net/http"
	"os"
	"testing"
	"time"
)

// programs has the engine that ships for them run a script that does not end.
const programs = `
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
store: {path: ./data}
engines:
  exec: {plugin: EXEC, config: {dir: DIR/workflows}}
webhooks:
  in: {scheme: github, secrets: ["${env:E2E_SECRET}"]}
routes:
  endless: {events: [github.push], run: exec/endless}
`

// endless notes its number and that of a child, and hears no signal that it
// can ignore.
const endless = `#!/bin/sh
trap '' TERM INT HUP
sleep 600 &
touch "OUT/pids/$!"
touch "OUT/pids/$$"
while :; do sleep 600; done
`

// Whatever ends the gateway, and with it the engine, ends the programs that it
// ran, and theirs.
func TestProgramsEndWithGateway(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *life){
		"SIGKILL": func(t *testing.T, l *life) { l.kill(t) },
		"SIGTERM": func(t *testing.T, l *life) { l.stop(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, programs)
			if err := os.Mkdir(s.path("workflows"), 0o700); err != nil {
				t.Fatal(err)
			}
			s.replace(s.path("workflows/endless"), []byte(s.fill(endless)), 0o700)
			l := s.start()
			if a := l.mustSend(t, "in", "1", `{}`); a.Code != http.StatusAccepted {
				t.Fatalf("answered %+v", a)
			}
			until(t, 10*time.Second, "the program and its child run", func() bool { return len(s.left()) >= 2 })
			end(t, l)
			s.nothingLeft(5 * time.Second)
		})
	}
}
