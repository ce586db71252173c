package outcome

import (
	"go.uber.org/zap"

	"github.com/event-gateway/gateway/gateway/store"
)

// Log tells of an attempt that has ended and not succeeded.
func Log(log *zap.Logger, c *store.Change) {
	if c.State != store.Dead && c.State != store.Pending {
		return // as most do, and quickly
	}
	last := c.Attempt
	fields := Fields(c.Delivery, last.Number, zap.String("outcome", last.Outcome), zap.String("message", last.Message))
	if c.State == store.Dead {
		log.Warn("delivery is dead", fields...)
	} else {
		log.Info("attempt failed", append(fields, zap.Time("next", c.Due))...)
	}
}

// Fields are those of every line about an attempt, and more.
func Fields(d *store.Delivery, attempt int, more ...zap.Field) []zap.Field {
	return append([]zap.Field{
		zap.String("event", d.EventID), zap.String("route", d.Route),
		zap.Int("attempt", attempt), zap.String("delivery", d.ID()),
	}, more...)
}
