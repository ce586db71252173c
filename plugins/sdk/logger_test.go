package sdk

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/event-gateway/gateway/plugins/sdk/wire"
)

func TestLoggerSpeaksHclog(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug - 4, ReplaceAttr: hclogNames}))
	for l, want := range map[slog.Level]string{
		slog.LevelDebug - 4: "trace", slog.LevelDebug: "debug", slog.LevelInfo: "info",
		slog.LevelWarn: "warn", slog.LevelError: "error", slog.LevelError + 4: "error",
	} {
		b.Reset()
		log.Log(t.Context(), l, "done", "key", "k1", slog.Group("g", "msg", "inner"))
		var line map[string]any
		if err := json.Unmarshal(b.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line["@level"] != want || line["@message"] != "done" || line["key"] != "k1" {
			t.Errorf("got %s", b.String())
		}
		if g, _ := line["g"].(map[string]any); g["msg"] != "inner" {
			t.Errorf("a key within a group was renamed: %s", b.String())
		}
		if _, err := time.Parse(time.RFC3339, line["@timestamp"].(string)); err != nil {
			t.Error(err)
		}
	}
}

func TestByHand(t *testing.T) {
	got := byHand("/opt/engines/mine")
	for _, part := range []string{"mine is a workflow engine", "plugin: /opt/engines/mine", "run: mine/"} {
		if !strings.Contains(got, part) {
			t.Errorf("%q is missing in:\n%s", part, got)
		}
	}
}

func TestMessageLimit(t *testing.T) {
	for env, want := range map[string]int{
		"": wire.DefaultMaxMessage, "x": wire.DefaultMaxMessage, "-1": wire.DefaultMaxMessage,
		"1024": 1024, "99999999999": wire.DefaultMaxMessage,
	} {
		if got := messageLimit(env); got != want {
			t.Errorf("%q: got %d, want %d", env, got, want)
		}
	}
}
