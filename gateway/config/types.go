package config

import "github.com/event-gateway/gateway/gateway/config/quantity"

// Amounts, as package quantity reads them.
type (
	Duration = quantity.Duration
	Size     = quantity.Size
	Percent  = quantity.Percent
	Backoff  = quantity.Backoff
	Rate     = quantity.Rate
	Throttle = quantity.Throttle
	Target   = quantity.Target
)
