package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/event-gateway/gateway/cmd/gateway/screen"
	"github.com/event-gateway/gateway/gateway/api"
	"github.com/event-gateway/gateway/gateway/config"
)

// Problems prints them as validate does, without the source lines: those
// are where the gateway is.
func Problems(w io.Writer, problems []api.ConfigProblem) {
	for _, p := range problems {
		line := config.Problem{File: p.File, Line: p.Line, Col: p.Col, Path: p.Path,
			Message: p.Message, Hint: p.Hint, Severity: config.Severity(p.Severity)}
		fmt.Fprintln(w, screen.Line(line.String()))
	}
}

// Revision is short enough to read and long enough to tell two apart.
func Revision(hash string) string {
	const shown = 12
	if len(hash) > shown && strings.Trim(hash, "0123456789abcdef") == "" {
		return hash[:shown]
	}
	return screen.OrDash(hash)
}

// Annotations prints problems as a workflow on GitHub reads them: each is shown
// at its line of the pull request.
func Annotations(w io.Writer, problems config.Problems) { Annotate(w, "", problems) }

// Annotate is Annotations under a title; empty: that of GitHub.
func Annotate(w io.Writer, title string, problems config.Problems) {
	text := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	for _, p := range problems {
		message := p.Message
		if p.Path != "" {
			message = p.Path + ": " + message
		}
		if p.Hint != "" {
			message += " (" + p.Hint + ")"
		}
		place := "file=" + property.Replace(p.File)
		if p.Line > 0 {
			place += fmt.Sprintf(",line=%d,col=%d,endColumn=%d", p.Line, p.Col, p.EndCol)
		}
		if title != "" {
			place += ",title=" + property.Replace(screen.Line(title))
		}
		fmt.Fprintf(w, "::%s %s::%s\n", p.Severity, place, text.Replace(screen.Block(message)))
	}
}
