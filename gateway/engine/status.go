package engine

import (
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/event-gateway/gateway/gateway/engine/process"
)

// State is where an engine is in its life.
type State string

// States of an engine.
const (
	Starting  State = "starting"
	Up        State = "up"
	Down      State = "down"       // crashed; the next start is due soon
	CrashLoop State = "crash_loop" // crashed too often; tried every 30s
	Draining  State = "draining"   // given back; runs in flight may end
	Stopped   State = "stopped"
)

// Status is what an operator sees of an engine.
type Status struct {
	Name      string
	State     State
	PID       int // 0 without a process
	Process   string
	Path      string
	SHA256    string
	Version   string
	StartedAt time.Time // of the process
	Restarts  int       // since the gateway acquired it
	LastError string    // of the last crash or failed start
	InFlight  int       // calls that have not ended
	Waiting   int       // those of them that wait for an answer
	Stuck     int       // processes that could not be ended in time
	Log       []string  // the last lines that it printed
}

// Status is the engine's present state.
func (e *Engine) Status() Status {
	e.mu.Lock()
	status := e.status
	e.mu.Unlock()
	if s := e.session.Load(); s != nil {
		status.InFlight, status.Waiting = s.link.Count()
	}
	if e.draining.Load() && status.State != Stopped {
		status.State = Draining
	}
	status.Log = e.tail.lines()
	return status
}

// tailLines is how many lines of log are kept per engine.
const tailLines = 50

// tail keeps the last lines that an engine printed, for Status and for
// explaining why a start went wrong.
type tail struct {
	mu   sync.Mutex
	last [tailLines]string
	next int
}

// maxTailLine bounds what the tail keeps of one line, in bytes.
const maxTailLine = 1 << 10

func (t *tail) add(line string) {
	if len(line) > maxTailLine {
		line = line[:maxTailLine] + "…"
	}
	t.mu.Lock()
	t.last[t.next%tailLines] = line
	t.next++
	t.mu.Unlock()
}

func (t *tail) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := make([]string, 0, min(t.next, tailLines))
	for i := max(0, t.next-tailLines); i < t.next; i++ {
		lines = append(lines, t.last[i%tailLines])
	}
	return lines
}

// logger writes an engine's lines to the gateway's log.
type logger struct {
	zap  *zap.Logger
	tail *tail
}

func (l *logger) line(line process.Line) {
	level := zapLevel(line.Level)
	l.tail.add(level.String() + " " + line.Message + fieldText(line.Fields))
	entry := l.zap.Check(level, line.Message)
	switch {
	case entry == nil:
	case len(line.Fields) > 0:
		entry.Write(zap.Any("fields", line.Fields))
	default:
		entry.Write()
	}
}

func fieldText(fields map[string]any) string {
	if len(fields) == 0 {
		return ""
	}
	return fmt.Sprintf(" %v", fields)
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
