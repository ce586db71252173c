package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/plugins/sdk/sdktest"
)

// Conformance is how well an engine keeps the contract.
type Conformance struct {
	Engine   []string       `json:"engine"`
	Kept     int            `json:"kept"`
	Broken   int            `json:"broken"`
	Untried  int            `json:"untried"`
	Verdicts []ShownVerdict `json:"verdicts"`
}

// ShownVerdict is what became of one promise.
type ShownVerdict struct {
	Name    string `json:"name"`
	Promise string `json:"promise"`
	// Verdict is kept, broken or untried.
	Verdict string `json:"verdict"`
	// Reason is why it is not kept, Advice what to do about it, and Said the
	// end of what the engine wrote to its standard error.
	Reason string `json:"reason,omitempty"`
	Advice string `json:"advice,omitempty"`
	Said   string `json:"said,omitempty"`
	Millis int64  `json:"millis"`
}

// Add counts a verdict.
func (c *Conformance) Add(v sdktest.Verdict) ShownVerdict {
	s := ShownVerdict{Name: v.Name, Promise: v.Promise, Verdict: "kept", Millis: v.Took.Milliseconds()}
	switch {
	case v.Err != nil:
		s.Verdict, s.Reason, s.Advice, s.Said = "broken", v.Err.Error(), v.Advice, v.Said
		c.Broken++
	case v.Untried != "":
		s.Verdict, s.Reason = "untried", named(v.Untried)
		c.Untried++
	default:
		c.Kept++
	}
	c.Verdicts = append(c.Verdicts, s)
	return s
}

// named says which key of engine-check.yaml an option of the suite is.
func named(untried string) string {
	option, ok := strings.CutPrefix(untried, "no Options.")
	if !ok {
		return untried
	}
	key := map[string]string{"Slow": "slow", "Asks": "asks", "BadConfig": "bad_config"}[option]
	return fmt.Sprintf("no %s: in engine-check.yaml, or --%s", key, strings.ReplaceAll(key, "_", "-"))
}

// Hopeless: the engine doesn't come up, and nothing else will work.
func (c *Conformance) Hopeless() bool {
	return slices.ContainsFunc(c.Verdicts, func(v ShownVerdict) bool {
		return v.Verdict == "broken" && (v.Name == "handshake" || v.Name == "configure")
	})
}

// Verdict prints one as soon as it is known.
func Verdict(s *screen.Screen, v ShownVerdict) {
	look := map[string]screen.Style{"kept": screen.Green, "broken": screen.Red, "untried": screen.Yellow}[v.Verdict]
	took := ""
	if v.Verdict != "untried" {
		took = (time.Duration(v.Millis) * time.Millisecond).String()
	}
	fmt.Fprintf(s.Out, "%s  %-14s %s  %s\n", s.Paint(look, fmt.Sprintf("%-7s", v.Verdict)), v.Name, v.Promise, s.Paint(screen.Dim, took))
	if v.Reason != "" {
		indented(s, "why: "+v.Reason)
	}
	if v.Advice != "" {
		indented(s, "do:  "+v.Advice)
	}
	if said := strings.TrimSpace(v.Said); said != "" {
		indented(s, "it said:\n"+said)
	}
}

func indented(s *screen.Screen, text string) {
	for line := range strings.Lines(screen.Block(text)) {
		fmt.Fprintf(s.Out, "         %s\n", strings.TrimRight(line, "\n"))
	}
}

// Sum prints the result, and what comes next.
func Sum(s *screen.Screen, c Conformance) {
	fmt.Fprintf(s.Out, "\n%d kept, %d broken, %d untried\n", c.Kept, c.Broken, c.Untried)
	switch {
	case c.Hopeless():
		fmt.Fprintln(s.Out, "The engine did not come up, so the rest was not tried. docs/engine-authors.md says what the gateway expects of a program.")
	case c.Broken > 0:
		fmt.Fprintln(s.Out, "docs/engine-authors.md explains each promise; check again when they are kept.")
	default:
		fmt.Fprintln(s.Out, "The engine keeps what was tried, and what can be seen from outside. docs/engine-authors.md says what can't.")
	}
}
