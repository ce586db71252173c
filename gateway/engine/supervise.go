package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"
)

// timing is every interval of supervision.
type timing struct {
	healthEvery  time.Duration // between health checks
	healthWithin time.Duration // one must be answered
	exitWithin   time.Duration // a process whose stream broke may end by itself
	stopWithin   time.Duration // a process that was asked to end must
	killWithin   time.Duration // a killed process must be gone
	backoffFirst time.Duration
	backoffMax   time.Duration // also the pace of a crash loop
	healthyAfter time.Duration // up for so long, earlier crashes are forgotten
}

func defaultTiming() timing {
	return timing{
		healthEvery: 5 * time.Second, healthWithin: 2 * time.Second,
		exitWithin: 250 * time.Millisecond, stopWithin: 8 * time.Second, killWithin: 5 * time.Second,
		backoffFirst: 250 * time.Millisecond, backoffMax: 30 * time.Second, healthyAfter: time.Minute,
	}
}

// crashes decides when to start again.
type crashes struct {
	times []time.Time
	delay time.Duration
	loop  bool
	// total counts them all, longest is the longest time between two.
	total   int
	longest time.Duration
}

// next notes a crash after so much uptime, and gives the time to wait.
func (c *crashes) next(now time.Time, uptime time.Duration, spec *Spec, t timing) time.Duration {
	if uptime >= t.healthyAfter {
		*c = crashes{total: c.total, longest: c.longest}
	}
	c.total, c.longest = c.total+1, max(c.longest, uptime)
	recent := c.times[:0]
	for _, at := range c.times {
		if now.Sub(at) < spec.RestartWindow {
			recent = append(recent, at)
		}
	}
	c.times = append(recent, now)
	c.loop = c.loop || len(c.times) > spec.Restarts
	if c.loop {
		c.delay = t.backoffMax
	} else {
		c.delay = min(max(2*c.delay, t.backoffFirst), t.backoffMax)
	}
	return jitter(c.delay)
}

// jitter spreads by a fifth to either side, so that engines that died together
// do not start together.
func jitter(d time.Duration) time.Duration {
	return d*4/5 + rand.N(d*2/5+1)
}

// supervise keeps the engine up, beginning with its first session, until ctx
// ends; then it stops the process.
func (e *Engine) supervise(ctx context.Context, s *session) {
	defer close(e.ended)
	var past crashes
	for s != nil {
		if cause := e.serve(ctx, s); ctx.Err() == nil {
			s = e.restart(ctx, &past, cause, time.Since(s.started))
			continue
		}
		break
	}
	e.setState(Stopped, func(st *Status) { st.PID = 0 })
	e.past.close()
	e.binary.Close()
	e.log.zap.Info("engine stopped")
}

// serve runs one session until its stream breaks, and says why it did, or
// until ctx ends.
func (e *Engine) serve(ctx context.Context, s *session) string {
	done := make(chan struct{}, 2)
	go func() { s.link.Serve(); done <- struct{}{} }()
	go func() { s.watch(); done <- struct{}{} }()
	e.up(s)
	select {
	case <-s.link.Broken():
	case <-ctx.Done():
	}
	e.down()
	why := e.endSession(ctx, s)
	<-done
	<-done
	return why
}

// endSession ends the process and the calls, and says why. A process whose
// stream broke is mostly just ending by itself; how it ended tells more than
// the stream, so it gets a moment. Its calls are reported before it is fought.
func (e *Engine) endSession(ctx context.Context, s *session) string {
	s.link.Refuse()
	if ctx.Err() != nil {
		const why = "the engine was stopped"
		e.gone(s, s.end(true))
		s.link.Close()
		<-s.link.Broken()
		s.link.Lose(why)
		return why
	}
	why := s.why(within(s.process.Done(), e.pool.timing.exitWithin))
	s.link.Lose(why)
	e.gone(s, s.end(false))
	s.link.Close()
	return why
}

// gone notes a process that could not be ended.
func (e *Engine) gone(s *session, ended bool) {
	if !ended {
		e.setState("", func(st *Status) { st.Stuck++ })
		e.log.zap.Error("engine process could not be ended", zap.Int("pid", s.process.PID()))
	}
}

// why says in words how the session ended.
func (s *session) why(byItself bool) string {
	select {
	case <-s.hung:
		return fmt.Sprintf("the engine's process hung or is unwell: %d health checks in a row did not say SERVING (last: %s)",
			healthMisses, s.unwell)
	default:
	}
	if byItself {
		return "the engine's process ended: " + s.process.Exit()
	}
	return "the engine ended the stream: " + s.link.Err()
}

// restart waits and starts again, as often as it takes; nil when ctx ended.
func (e *Engine) restart(ctx context.Context, past *crashes, cause string, uptime time.Duration) *session {
	for {
		wait := past.next(time.Now(), uptime, e.spec.Load(), e.pool.timing)
		if e.takeBack(past.total, past.longest) {
			*past, wait = crashes{}, 0
		}
		e.crashed(past.loop, cause, wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
		s, err := e.launch(ctx)
		if err == nil {
			return s
		}
		cause, uptime = err.Error(), 0
	}
}

func (e *Engine) crashed(loop bool, cause string, wait time.Duration) {
	state, log := Down, e.log.zap.Warn
	if loop {
		state, log = CrashLoop, e.log.zap.Error
	}
	e.setState(state, func(st *Status) {
		st.PID, st.LastError = 0, cause
		st.Restarts++
	})
	log("engine is down", zap.String("state", string(state)), zap.String("error", cause), zap.Duration("restart_in", wait))
}

// launch starts a process.
func (e *Engine) launch(ctx context.Context) (*session, error) {
	l := launch{
		spec: *e.spec.Load(), binary: e.binary, host: e.pool.host, log: e.log, timing: e.pool.timing,
	}
	s, err := l.start(ctx)
	if err != nil && errors.Is(ctx.Err(), context.Canceled) && e.pool.ctx.Err() != nil {
		return nil, ErrStopped
	}
	return s, err
}

func (e *Engine) up(s *session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.desc = s.link.Description()
	e.status.State, e.status.PID, e.status.Process = Up, s.process.PID(), s.link.Process()
	e.status.SHA256, e.status.Version, e.status.StartedAt = e.binary.Sum(), e.desc.Version, s.started
	e.session.Store(s)
	close(e.ready)
	e.log.zap.Info("engine is up", zap.Int("pid", s.process.PID()), zap.String("version", e.desc.Version),
		zap.String("sha256", e.binary.Sum()))
}

func (e *Engine) down() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.session.Store(nil)
	e.ready = make(chan struct{})
}

// setState changes the status; "" leaves the state.
func (e *Engine) setState(state State, change func(*Status)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if state != "" {
		e.status.State = state
	}
	change(&e.status)
}
