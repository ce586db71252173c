package sdktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-plugin"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
	"github.com/event-gateway/gateway/plugins/sdk/sdktest/host"
)

// trials are all promises, the simple ones first.
func trials() []trial {
	return slices.Concat([]trial{
		{name: "handshake", promise: "shakes hands with mutual TLS and answers",
			advice: "Read PLUGIN_CLIENT_CERT, and show a certificate for localhost in the sixth field of the handshake: DER, in standard base64 without = at the end.",
			run:    handshake},
		{name: "configure", promise: "takes its configuration",
			advice: "Answer Configure without problems when the configuration is right; config: in engine-check.yaml says which one.",
			run:    with(nothing)},
		{name: "health", promise: "says that it is well",
			advice: "Serve grpc.health.v1.Health/Check: SERVING (1) for the service \"plugin\". With any other status the gateway ends the engine after 15 s.",
			run:    with(well)},
		{name: "plain", promise: "shakes hands without TLS and answers",
			advice: "Without PLUGIN_CLIENT_CERT serve without TLS, and leave the sixth field empty.",
			run:    answers(host.Plain)},
		{name: "stranger", promise: "with mutual TLS, answers nobody but the gateway",
			advice: "Demand a client certificate, and trust only the one in PLUGIN_CLIENT_CERT.",
			run:    with(stranger)},
		{name: "version", promise: "speaks version 1 with a gateway that also knows a newer one",
			advice: "Answer with the newest version of PLUGIN_PROTOCOL_VERSIONS that you know: 1.",
			run:    answers(host.Newer)},
		{name: "by-hand", promise: "explains itself when started by hand",
			advice: "Without EVENT_GATEWAY_ENGINE in the environment say what the program is, and exit with 1.",
			run:    byHand},
		{name: "describe", promise: "tells its name and each workflow once",
			advice: "Give a name, and list each workflow once.",
			run:    with(describe)},
		{name: "configure-bad", promise: "says what is wrong with a bad configuration",
			advice: "Answer Configure with a problem for each mistake: its path and a message.",
			needs:  badConfig, run: configureBad},
		{name: "check", promise: "takes a route to its workflow and, if it can tell, no other",
			advice: "Answer Check for a workflow of yours without problems; claim ABILITY_CHECK only if others get one.",
			run:    with(check)},
		{name: "get-unknown", promise: "knows that it doesn't know a run",
			advice: "Answer Get with unknown for a key that was never started.",
			run:    with(getUnknown)},
		{name: "slow", promise: "has a workflow that goes on",
			advice: "Name one for slow: that goes on for a minute unless cancelled, and give it an input (slow_input:) with which it does.",
			needs:  slow, run: talking(goesOn)},
		{name: "logs", promise: "logs lines that can be read, also of many runs at once",
			advice: "Write each line to the standard error in one piece: text, or JSON with the strings @level and @message.",
			run:    talking(logs)},
		{name: "stdout", promise: "prints the handshake first, and then no line that is too long",
			advice: "Print nothing before the handshake, and better nothing after it: log to the standard error.",
			run:    stdout},
		{name: "shutdown", promise: "exits when told to",
			advice: "Serve plugin.GRPCController/Shutdown: answer, then exit.",
			run:    with(shutdown)},
		{name: "interrupt", promise: "leaves an interrupt of the terminal to the gateway",
			advice: "Ignore SIGINT: a terminal sends it to every process, and the gateway decides.",
			run:    with(interrupt)},
		{name: "parent-death", promise: "exits when the gateway is gone, and leaves nothing behind",
			advice: "Look at the parent's process id once a second; when it changes, stop what runs, and exit.",
			run:    parentDeath},
	}, runTrials(), streamTrials(), stateTrials())
}

func nothing(context.Context, *host.Process, Options) error { return nil }

func well(ctx context.Context, p *host.Process, _ Options) error { return p.Well(ctx) }

func goesOn(_ context.Context, _ *host.Process, t *talk, o Options) error {
	return t.underWay("slow", o)
}

func handshake(ctx context.Context, o Options) error {
	p, err := host.Start(ctx, o.program())
	if err != nil {
		return err
	}
	defer p.Kill()
	if _, err := p.Can(ctx, 0); err != nil { // whatever it says, it says something
		return p.Spoken(fmt.Errorf("describe: %w", err))
	}
	return nil
}

// answers shakes hands in another way, and does a run.
func answers(change func(*plugin.ClientConfig)) func(context.Context, Options) error {
	return func(ctx context.Context, o Options) error {
		p, err := host.Configured(ctx, o.program(), change)
		if err != nil {
			return err
		}
		defer p.Kill()
		if err := versionOne(ctx, p, o); err != nil {
			return p.Spoken(err)
		}
		return nil
	}
}

func versionOne(ctx context.Context, p *host.Process, o Options) error {
	if v := p.Client.NegotiatedVersion(); v != 1 {
		return fmt.Errorf("it speaks version %d, want 1", v)
	}
	t, err := open(ctx, p)
	if err != nil {
		return err
	}
	defer t.Break()
	return t.succeed("handshake", o)
}

func describe(ctx context.Context, p *host.Process, _ Options) error {
	ctx, cancel := context.WithTimeout(ctx, host.CallTimeout)
	defer cancel()
	d, err := p.Describe(ctx, &enginev1.DescribeRequest{})
	if err != nil {
		return err
	}
	if d.Name == "" {
		return errors.New("no name")
	}
	seen := map[string]bool{}
	for _, w := range d.Workflows {
		if w.Name == "" || seen[w.Name] {
			return fmt.Errorf("workflow %q is listed without a name or twice", w.Name)
		}
		seen[w.Name] = true
		if len(w.InputSchema) > 0 && !json.Valid(w.InputSchema) {
			return fmt.Errorf("workflow %q: input schema is not JSON", w.Name)
		}
	}
	return nil
}

func configureBad(ctx context.Context, o Options) error {
	p, err := host.Start(ctx, o.program())
	if err != nil {
		return err
	}
	defer p.Kill()
	err = host.Configure(ctx, p, o.program(), o.BadConfig)
	no, ok := errors.AsType[*host.Refused](err)
	if !ok {
		return fmt.Errorf("want problems, got %v", err)
	}
	for _, problem := range no.Problems {
		if problem.Message == "" {
			return fmt.Errorf("problem at %q has no message", problem.Path)
		}
	}
	return nil
}

func check(ctx context.Context, p *host.Process, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, host.CallTimeout)
	defer cancel()
	tells, err := p.Can(ctx, enginev1.Ability_ABILITY_CHECK)
	if err != nil {
		return err
	}
	good, err := p.Check(ctx, &enginev1.CheckRequest{Workflow: o.Workflow, Input: o.Input})
	if err != nil {
		return err
	}
	if len(good.Problems) > 0 {
		return fmt.Errorf("workflow %q: %v", o.Workflow, good.Problems)
	}
	bad, err := p.Check(ctx, &enginev1.CheckRequest{Workflow: o.Workflow + "-that-is-not-there"})
	if err != nil {
		return err
	}
	if tells && len(bad.Problems) == 0 {
		return errors.New("a workflow that is not there was taken")
	}
	return nil
}

func logs(ctx context.Context, p *host.Process, t *talk, o Options) error {
	if err := concurrent(ctx, p, t, o); err != nil {
		return err
	}
	for line := range strings.Lines(p.Stderr.String()) {
		if err := readable(line); err != nil {
			return fmt.Errorf("%w: %.200q", err, line)
		}
	}
	return nil
}

// readable is hclog's format, where a line looks like it at all.
func readable(line string) error {
	if len(line) > host.MaxLine {
		return fmt.Errorf("a line of %d bytes, at most %d are read", len(line), host.MaxLine)
	}
	if !strings.HasPrefix(line, "{") {
		return nil
	}
	var fields map[string]any
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		return fmt.Errorf("a line that begins like JSON and isn't: %w", err)
	}
	for _, key := range []string{"@message", "@level"} {
		if _, ok := fields[key].(string); !ok {
			return fmt.Errorf("%s is not a string", key)
		}
	}
	return nil
}

// exitTimeout is less than the two seconds after which go-plugin kills.
const exitTimeout = 1500 * time.Millisecond

// shutdown is what the gateway does once its runs are drained.
func shutdown(ctx context.Context, p *host.Process, _ Options) error {
	go p.Client.Kill() // ended by the process, or by our own kill
	return p.Gone(ctx, exitTimeout)
}
