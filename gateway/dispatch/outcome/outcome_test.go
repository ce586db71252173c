package outcome

import (
	"testing"
	"time"

	"github.com/event-gateway/gateway/gateway/engine"
	"github.com/event-gateway/gateway/gateway/store"
)

func TestBackoff(t *testing.T) {
	t.Parallel()
	r := Retry{Attempts: 100, Min: time.Second, Max: time.Minute, Jitter: 0.2}
	low, high := time.Hour, time.Duration(0)
	for range 2000 {
		w := r.wait(3)
		low, high = min(low, w), max(high, w)
	}
	if low < 3200*time.Millisecond || high > 4800*time.Millisecond || high-low < time.Second {
		t.Errorf("third wait between %v and %v, want 4s give or take a fifth", low, high)
	}
	if w := (Retry{Min: time.Second, Max: time.Hour}).wait(1 << 30); w != time.Hour {
		t.Errorf("a late wait is %v", w)
	}
	if w := (Retry{}).wait(3); w != 0 {
		t.Errorf("no backoff: %v", w)
	}
}

func TestWhetherAgain(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	policy := Retry{Attempts: 3, Min: time.Second, Max: time.Minute, GiveUpAfter: time.Hour}
	for _, test := range []struct {
		name      string
		attempt   int
		throttled int
		began     time.Duration // before now
		update    engine.Update
		outcome   string
		due       time.Duration
		again     bool
	}{
		{"first", 1, 0, 0, engine.Update{}, Retryable, time.Second, true},
		{"second", 2, 0, 0, engine.Update{}, Timeout, 2 * time.Second, true},
		{"last", 3, 0, 0, engine.Update{}, Retryable, 0, false},
		{"throttled ones do not count", 5, 3, 0, engine.Update{}, Throttled, 16 * time.Second, true},
		{"permanent", 1, 0, 0, engine.Update{}, Permanent, 0, false},
		{"the engine's wish, when later", 1, 0, 0, engine.Update{RetryAfter: time.Minute}, Throttled, time.Minute, true},
		{"the engine's wish, when sooner", 2, 0, 0, engine.Update{RetryAfter: time.Millisecond}, Retryable, 2 * time.Second, true},
		{"just before giving up", 1, 0, time.Hour - time.Second, engine.Update{}, Retryable, time.Second, true},
		{"after giving up", 1, 0, time.Hour, engine.Update{}, Retryable, 0, false},
		{"the wish reaches beyond", 1, 0, 0, engine.Update{RetryAfter: 2 * time.Hour}, Throttled, 0, false},
	} {
		d := &store.Delivery{Attempt: test.attempt, Throttled: test.throttled, FirstAttemptAt: now.Add(-test.began)}
		due, again := policy.Next(d, test.update, test.outcome, now)
		if again != test.again || again && due.Sub(now) != test.due {
			t.Errorf("%s: %v %t, want %v %t", test.name, due.Sub(now), again, test.due, test.again)
		}
	}
}
