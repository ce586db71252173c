// Package batch decides what travels together in one message of the Run stream,
// shared by the SDK (which sends updates) and the gateway (which sends commands).
package batch

// MaxLen and MaxBytes bound one message: enough to make its cost small. Of
// larger ones gRPC clears a megabyte of its buffers, each time, on both sides.
const (
	MaxLen   = 256
	MaxBytes = 32<<10 - 256
)

// Cut tells how many of n commands or updates, at least one, travel in one
// message of at most limit bytes. One that is larger than that travels alone.
func Cut(n int, limit int64, size func(i int) int64) int {
	const tag = 6 // and length, of each
	total := size(0) + tag
	for i := 1; i < min(n, MaxLen); i++ {
		if total += size(i) + tag; total > limit {
			return i
		}
	}
	return min(n, MaxLen)
}
