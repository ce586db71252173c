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
