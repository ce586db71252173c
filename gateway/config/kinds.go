package config

import "github.com/event-gateway/gateway/gateway/config/value"

// Kinds of values; package value says how each is written.
type (
	Duration = value.Duration
	Size     = value.Size
	Percent  = value.Percent
	Backoff  = value.Backoff
	Rate     = value.Rate
	Throttle = value.Throttle
	Target   = value.Target
	Secret   = value.Secret
	Hashed   = value.Hashed
)
