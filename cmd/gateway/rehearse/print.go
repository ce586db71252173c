package rehearse

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/event-gateway/gateway/cmd/gateway/report"
	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/rehearse"
)

// print tells people how it went: what failed in detail, all else in a line.
func (d *Desk) print(r *Report, f testFlags) {
	fmt.Fprint(d.Out, screen.Block(r.Problems.Text()))
	for _, c := range r.Cases {
		switch {
		case !c.Passed:
			fmt.Fprintf(d.Out, "%s  %s  %s\n", d.Paint(screen.Red, "FAIL"), screen.Line(c.Name), d.Paint(screen.Dim, fmt.Sprintf("%s:%d", c.File, c.Line)))
			for _, p := range c.Differences {
				fmt.Fprintf(d.Out, "      %s\n", screen.Line(difference(p)))
			}
		case f.verbose:
			took := (time.Duration(c.Micros) * time.Microsecond).String()
			fmt.Fprintf(d.Out, "%s    %s  %s\n", d.Paint(screen.Green, "ok"), screen.Line(c.Name), d.Paint(screen.Dim, took))
		}
	}
	word, look := "ok", screen.Green
	if !r.OK() {
		word, look = "FAIL", screen.Red
	}
	fmt.Fprintf(d.Out, "%s  %s passed, %d failed in %s\n", d.Paint(look, word), count(r.Passed, "case"), r.Failed, time.Duration(r.Millis)*time.Millisecond)
	if r.Coverage != nil {
		d.printCoverage(r.Coverage, f)
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// difference is one without its file, which stands above.
func difference(p config.Problem) string {
	text := fmt.Sprintf("line %d: ", p.Line)
	if p.Path != "" {
		text += p.Path + ": "
	}
	return text + p.Message
}

func (d *Desk) printCoverage(c *rehearse.Covered, f testFlags) {
	fmt.Fprintf(d.Out, "coverage: %d of %s matched, %d of %s kept an event out", c.Matched, count(c.Routes, "route"), c.Decided, count(c.Conditions, "condition"))
	if len(c.Gaps) > 0 && !f.coverage && !f.complete {
		fmt.Fprint(d.Out, " (--coverage lists the rest)")
	}
	fmt.Fprintln(d.Out)
	if !f.coverage && !f.complete {
		return
	}
	for _, g := range c.Gaps {
		place := "routes." + g.Route
		if g.Field != "" {
			place += "." + g.Field
		}
		fmt.Fprintf(d.Out, "  %s: %s\n", screen.Line(place), screen.Line(g.Says))
	}
}

// annotate prints what GitHub Actions shows beside the lines of a pull request.
func annotate(w io.Writer, r *Report) {
	report.Annotations(w, r.Problems)
	for _, c := range r.Cases {
		report.Annotate(w, c.Name, c.Differences)
	}
}

// What JUnit's readers understand.
type (
	suites struct {
		XMLName  xml.Name `xml:"testsuites"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Errors   int      `xml:"errors,attr"`
		Time     string   `xml:"time,attr"`
		Suites   []*suite `xml:"testsuite"`
	}
	suite struct {
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Errors   int        `xml:"errors,attr"`
		Cases    []testcase `xml:"testcase"`
	}
	testcase struct {
		Name    string    `xml:"name,attr"`
		Class   string    `xml:"classname,attr"`
		File    string    `xml:"file,attr"`
		Line    int       `xml:"line,attr,omitempty"`
		Time    string    `xml:"time,attr"`
		Failure *complain `xml:"failure"`
		Error   *complain `xml:"error"`
	}
	complain struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func writeJUnit(path string, r *Report) error {
	out := suites{Time: fmt.Sprintf("%.3f", float64(r.Millis)/1000)}
	byFile := map[string]*suite{}
	of := func(file string) *suite {
		if byFile[file] == nil {
			byFile[file] = &suite{Name: file}
			out.Suites = append(out.Suites, byFile[file])
		}
		return byFile[file]
	}
	for _, p := range r.Problems {
		s := of(p.File)
		s.Tests, s.Errors = s.Tests+1, s.Errors+1
		out.Tests, out.Errors = out.Tests+1, out.Errors+1
		s.Cases = append(s.Cases, testcase{Name: "is valid", Class: p.File, File: p.File, Line: p.Line, Time: "0", Error: &complain{p.Message, p.String()}})
	}
	for _, c := range r.Cases {
		s := of(c.File)
		one := testcase{Name: c.Name, Class: c.File, File: c.File, Line: c.Line, Time: fmt.Sprintf("%.6f", float64(c.Micros)/1e6)}
		if !c.Passed {
			s.Failures, out.Failures = s.Failures+1, out.Failures+1
			one.Failure = &complain{c.Differences[0].Message, c.Differences.Error()}
		}
		s.Tests, out.Tests = s.Tests+1, out.Tests+1
		s.Cases = append(s.Cases, one)
	}
	text, err := xml.MarshalIndent(out, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(xml.Header+string(text)+"\n"), 0o644) //nolint:gosec // results are for all to read
}
