package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/event-gateway/gateway/gateway/engine/link"
	"github.com/event-gateway/gateway/gateway/engine/process"
)

// session is one process of an engine and the link to it, from handshake to
// death. It is never revived: a restart makes a new one.
type session struct {
	link    *link.Link
	timing  timing
	process *process.Process
	client  *plugin.Client
	conn    *grpc.ClientConn
	health  grpc_health_v1.HealthClient
	started time.Time
	hung    chan struct{} // closed when health checks found it dead
	unwell  string        // what the last of them said; read after hung is closed
}

// watch kills a process whose health checks fail, and ends the stream of one
// that is gone.
func (s *session) watch() {
	tick := time.NewTicker(s.timing.healthEvery)
	defer tick.Stop()
	missed := 0
	for {
		select {
		case <-tick.C:
		case <-s.process.Done():
			s.link.Close()
			return
		case <-s.link.Broken():
			return
		}
		if unwell := s.ask(); unwell == "" {
			missed = 0
		} else if missed++; missed == healthMisses {
			s.unwell = unwell
			close(s.hung)
			s.process.Kill()
		}
	}
}

// healthMisses is how many health checks in a row may fail.
const healthMisses = 3

// ask tells what a health check found instead of SERVING; empty is well. An
// engine without a health service says so, and is alive.
func (s *session) ask() (unwell string) {
	ctx, cancel := context.WithTimeout(context.Background(), s.timing.healthWithin)
	defer cancel()
	answer, err := s.health.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: plugin.GRPCServiceName})
	switch code := status.Code(err); {
	case code == codes.Unimplemented, code == codes.NotFound,
		err == nil && answer.GetStatus() == grpc_health_v1.HealthCheckResponse_SERVING:
		return ""
	case err == nil:
		return answer.GetStatus().String()
	case ctx.Err() != nil:
		return fmt.Sprintf("no answer within %s", s.timing.healthWithin)
	}
	return status.Convert(err).Message()
}

// asked asks the process to end and tells whether it has, in time. go-plugin's
// own way of asking would give it two seconds, which is less than the children
// of an engine may take.
func (s *session) asked() bool {
	ctx, cancel := context.WithTimeout(context.Background(), s.timing.healthWithin)
	defer cancel()
	var nothing emptypb.Empty // as is go-plugin's own message
	err := s.conn.Invoke(ctx, "/plugin.GRPCController/Shutdown", &nothing, &nothing)
	if ctx.Err() != nil || status.Code(err) == codes.Unimplemented {
		return false
	}
	return within(s.process.Done(), s.timing.stopWithin)
}

// end ends the process in bounded time and tells whether that went well. A
// gentle end lets it close down by itself first.
func (s *session) end(gentle bool) bool {
	killed := make(chan struct{})
	if !gentle || !s.asked() {
		s.process.Kill()
	}
	go func() {
		defer close(killed)
		s.client.Kill() // may hang as long as the process does
		<-s.process.Done()
	}()
	if within(killed, s.timing.stopWithin) {
		return true
	}
	s.process.Kill()
	return within(killed, s.timing.killWithin)
}

func within(done <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
