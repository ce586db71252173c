package process

import (
	"fmt"
	"os"
	"regexp"
	"testing"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	h := newHost(t, t.TempDir())
	b := program(t, "#!/bin/sh\nexec sleep 60\n")
	for want, limits := range map[string]Limits{
		`Max data size +268435456 +268435456 `: {Memory: 256 << 20},
		`Max open files +64 +64 `:              {OpenFiles: 64},
		`Max data size +unlimited +unlimited `: {},
	} {
		folder, err := h.Folder()
		if err != nil {
			t.Fatal(err)
		}
		p, err := h.Start(Command{Binary: b, Folder: folder, Limits: limits, Line: func(Line) {}})
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.PID()))
		if err != nil || !regexp.MustCompile(want).Match(text) {
			t.Errorf("%+v: want %q in\n%s%v", limits, want, text, err)
		}
		p.Kill()
		<-p.Done()
	}
}
