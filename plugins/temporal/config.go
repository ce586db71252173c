package main

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/event-gateway/gateway/plugins/sdk"
)

// config is the `config:` of gateway.yaml.
type config struct {
	Address   string                    `json:"address"`
	Namespace string                    `json:"namespace"`
	TLS       *tlsConfig                `json:"tls"`
	APIKey    secret                    `json:"api_key"`
	TaskQueue string                    `json:"task_queue"`
	Workflows map[string]workflowConfig `json:"workflows"`
}

type tlsConfig struct {
	CA         string `json:"ca"`
	Cert       string `json:"cert"`
	Key        string `json:"key"`
	ServerName string `json:"server_name"`
}

type workflowConfig struct {
	Description string   `json:"description"`
	Mode        string   `json:"mode"`
	Type        string   `json:"type"`
	TaskQueue   string   `json:"task_queue"`
	ID          string   `json:"id"`
	Signal      string   `json:"signal"`
	Reuse       string   `json:"reuse"`
	Wait        bool     `json:"wait"`
	Cancel      *bool    `json:"cancel"`
	Envelope    bool     `json:"envelope"`
	Timeouts    timeouts `json:"timeouts"`
}

type timeouts struct {
	Execution string `json:"execution"`
	Run       string `json:"run"`
	Task      string `json:"task"`
}

// secret is a text of the configuration that never prints.
type secret string

const redacted = "[redacted]"

func (secret) String() string { return redacted }

// GoString keeps %#v from printing it.
func (secret) GoString() string { return redacted }

// MarshalText keeps encoders from writing it; slog is one of them.
func (secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Configure reports all mistakes at once. It does not need Temporal, which may
// be down when the gateway starts.
func (e *engine) Configure(_ context.Context, c *sdk.Config) error {
	cfg := config{Address: "127.0.0.1:7233", Namespace: "default"}
	if err := c.Decode(&cfg); err != nil {
		return err
	}
	if len(cfg.Workflows) == 0 {
		return problem(errors.New("at least one is needed: there is nothing to start"), "workflows")
	}
	problems := []error{problem(address(cfg.Address), "address")}
	if cfg.Namespace == "" {
		problems = append(problems, problem(errors.New("is empty"), "namespace"))
	}
	e.workflows = map[string]*workflow{}
	for _, name := range slices.Sorted(maps.Keys(cfg.Workflows)) {
		w, err := newWorkflow(name, cfg.Workflows[name], cfg.TaskQueue)
		problems = append(problems, err)
		e.workflows[name] = w
	}
	conn, err := dial(&cfg, c.BaseDir)
	if err := errors.Join(append(problems, err)...); err != nil {
		return err
	}
	e.connect(&cfg, conn)
	return nil
}

// problem is nil without an error.
func problem(err error, path ...string) error {
	if err == nil {
		return nil
	}
	return sdk.Problem{Path: path, Message: err.Error()}
}

func address(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" || port == "" || strings.Contains(s, "/") {
		return errors.New("want host:port, like 127.0.0.1:7233")
	}
	return nil
}
