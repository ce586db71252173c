// Package engines is the endpoint by which people read what engines print. It
// is a part of api, which lets nobody in who may not.
package engines

import (
	"net/http"
	"time"

	"github.com/event-gateway/gateway/gateway/api/ask"
)

// Engines is what people may see of engines.
type Engines interface {
	// Log is the last lines that an engine printed, oldest first; declared
	// tells whether there is such an engine.
	Log(name string) (lines []LogLine, declared bool)
}

// LogLine is one line that an engine printed.
type LogLine struct {
	// N grows from line to line.
	N     int64     `json:"n"`
	At    time.Time `json:"at"`
	Level string    `json:"level"`
	Text  string    `json:"text"`
}

// EngineLog is what an engine printed.
type EngineLog struct {
	Lines []LogLine `json:"lines"`
	// Next is the `after` of what will come.
	Next int64 `json:"next"`
}

// maxLines bounds a page; more are not kept anyway.
const (
	maxLines     = 1000
	defaultLines = 100
)

// Endpoints by the patterns that they are reached under.
func Endpoints(e Engines) map[string]ask.Endpoint {
	return map[string]ask.Endpoint{"GET /api/v1/engines/{name}/logs": server{e}.log}
}

type server struct{ Engines }

func (s server) log(r *http.Request) (int, any, error) {
	q, err := ask.Parameters(r, "after", "limit")
	if err != nil {
		return 0, nil, err
	}
	limit, err := ask.Number(q, "limit", defaultLines, 1, maxLines)
	if err != nil {
		return 0, nil, err
	}
	after, err := ask.Number(q, "after", 0, 0, 1<<53)
	if err != nil {
		return 0, nil, err
	}
	lines, declared := s.Log(r.PathValue("name"))
	if !declared {
		return 0, nil, ask.Refuse(http.StatusNotFound, "no engine %q is declared", r.PathValue("name"))
	}
	return http.StatusOK, page(lines, int64(after), limit), nil
}

// page is the newest lines after one, at most limit.
func page(lines []LogLine, after int64, limit int) EngineLog {
	out := EngineLog{Lines: []LogLine{}, Next: after}
	for _, line := range lines {
		if line.N > after {
			out.Lines = append(out.Lines, line)
		}
	}
	if n := len(out.Lines); n > 0 {
		out.Next = out.Lines[n-1].N
		out.Lines = out.Lines[max(0, n-limit):]
	}
	return out
}
