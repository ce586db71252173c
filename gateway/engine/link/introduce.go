package link

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	enginev1 "github.com/event-gateway/gateway/plugins/sdk/proto/engine/v1"
)

// ErrNoService: the program speaks go-plugin but not the engine contract.
var ErrNoService = errors.New("a go-plugin program, but not an engine: it does not serve engine.v1.EngineService")

// Introduce asks who the engine is, configures it (config is JSON, nil is
// null), and asks again, because an engine may know its workflows only from
// its configuration. What it does not like about config is a *ConfigError.
func (l *Link) Introduce(ctx context.Context, config []byte, baseDir string) error {
	if _, err := l.rpc.Describe(ctx, &enginev1.DescribeRequest{}); err != nil {
		if status.Code(err) == codes.Unimplemented {
			return ErrNoService
		}
		return fmt.Errorf("describe: %w", err)
	}
	if err := l.configure(ctx, config, baseDir); err != nil {
		return err
	}
	described, err := l.rpc.Describe(ctx, &enginev1.DescribeRequest{})
	if err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	l.desc = descriptionOf(described)
	return nil
}

func (l *Link) configure(ctx context.Context, config []byte, baseDir string) error {
	if len(config) == 0 {
		config = []byte("null")
	}
	response, err := l.rpc.Configure(ctx, &enginev1.ConfigureRequest{
		Config: config, BaseDir: baseDir, MaxMessageBytes: l.maxMessage})
	var problems []Problem
	switch status.Code(err) {
	case codes.OK:
		problems = problemsOf(response.GetProblems())
	case codes.InvalidArgument:
		problems = []Problem{{Message: status.Convert(err).Message()}}
	case codes.Unimplemented:
		if string(config) != "null" {
			problems = []Problem{{Message: "this engine takes no config"}}
		}
	default:
		return fmt.Errorf("configure: %w", err)
	}
	if len(problems) > 0 {
		return &ConfigError{Engine: l.name, Problems: problems}
	}
	return nil
}
