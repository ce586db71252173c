package engine

import "time"

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
	// Returned is the checksum of a program that crashed again and again: the
	// one before it runs in its place.
	Returned string
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
	return status
}
