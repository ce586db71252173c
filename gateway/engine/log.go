package engine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/event-gateway/gateway/gateway/engine/process"
)

// Line is one line that an engine printed.
type Line struct {
	// N grows from line to line, also over restarts and other versions of the
	// engine: Unix microseconds, or one more than that of the line before.
	N  int64
	At time.Time
	// Level is debug, info, warn or error; Text is the message and its fields.
	Level, Text string
}

// tailLines is how many lines of log are kept per engine.
const tailLines = 500

// tail keeps the last lines that an engine printed, for people and for
// explaining why a start went wrong.
type tail struct {
	mu   sync.Mutex
	last [tailLines]Line
	next int
}

// maxTailLine bounds what the tail keeps of one line, in bytes.
const maxTailLine = 1 << 10

func (t *tail) add(level, text string) {
	if len(text) > maxTailLine {
		text = text[:maxTailLine] + "…"
	}
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	n := now.UnixMicro()
	if t.next > 0 {
		n = max(n, t.last[(t.next-1)%tailLines].N+1)
	}
	t.last[t.next%tailLines] = Line{N: n, At: now, Level: level, Text: text}
	t.next++
}

// lines are those kept, oldest first.
func (t *tail) lines() []Line {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := make([]Line, 0, min(t.next, tailLines))
	for i := max(0, t.next-tailLines); i < t.next; i++ {
		lines = append(lines, t.last[i%tailLines])
	}
	return lines
}

// Log is the last lines that the engines of a name printed, a draining one's
// too, oldest first.
func (p *Pool) Log(name string) (lines []Line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.engines {
		if e.spec.Load().Name == name {
			lines = append(lines, e.tail.lines()...)
		}
	}
	slices.SortStableFunc(lines, func(a, b Line) int { return cmp.Compare(a.N, b.N) })
	return lines
}

// logger writes an engine's lines to the gateway's log.
type logger struct {
	zap  *zap.Logger
	tail *tail
}

func (l *logger) line(line process.Line) {
	level := zapLevel(line.Level)
	l.tail.add(level.String(), line.Message+fieldText(line.Fields))
	entry := l.zap.Check(level, line.Message)
	switch {
	case entry == nil:
	case len(line.Fields) > 0:
		entry.Write(zap.Any("fields", line.Fields))
	default:
		entry.Write()
	}
}

// fieldText is what a line has beside its message, for people.
func fieldText(fields map[string]any) string {
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		value, ok := fields[key].(string)
		if !ok || strings.ContainsAny(value, " =\"\n") {
			is, _ := json.Marshal(fields[key]) // it was read from JSON
			value = string(is)
		}
		fmt.Fprintf(&text, " %s=%s", key, value)
	}
	return text.String()
}

func zapLevel(level process.Level) zapcore.Level {
	switch level {
	case process.Error:
		return zapcore.ErrorLevel
	case process.Warn:
		return zapcore.WarnLevel
	case process.Info:
		return zapcore.InfoLevel
	default:
		return zapcore.DebugLevel
	}
}
