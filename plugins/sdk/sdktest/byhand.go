package sdktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/event-gateway/gateway/plugins/sdk/sdktest/host"
)

// byHand starts the program as somebody does who found it in a folder.
func byHand(ctx context.Context, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, host.StartTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, o.Command[0], o.Command[1:]...)
	cmd.Env = append([]string{}, o.Env...)
	cmd.Dir = o.BaseDir
	cmd.WaitDelay = time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return errors.New("it runs, although no gateway started it")
	}
	if _, ok := errors.AsType[*exec.ExitError](err); !ok {
		return fmt.Errorf("want an exit other than 0, got %v", err)
	}
	if stderr.Len() == 0 {
		return errors.New("it says nothing on the standard error")
	}
	return nil
}
