package keys

import (
	"context"
	"encoding/binary"
	"sync/atomic"

	"github.com/event-gateway/gateway/gateway/store"
)

// filter tells, without looking, that a key is not in the table: nearly every
// event is new, and a look for each of its keys would be a good part of the
// commit. It is a Bloom filter of 8 MiB, good for some ten million keys; with
// more of them it says "perhaps" more often, which only costs the look.
type filter struct {
	bits []atomic.Uint64
	// filled: all keys of the table are in it. Until then it knows nothing.
	filled atomic.Bool
}

const (
	filterBits   = 1 << 26
	filterProbes = 4
)

func newFilter() *filter { return &filter{bits: make([]atomic.Uint64, filterBits/64)} }

// probe calls each with the places of a key until it says false. Keys are
// digests: their own bytes are as good as hashes of them.
func probe(k store.Key, each func(word, bit uint64) bool) {
	at, step := binary.LittleEndian.Uint64(k[:8]), binary.LittleEndian.Uint64(k[8:])|1
	for range filterProbes {
		place := at % filterBits
		if !each(place/64, 1<<(place%64)) {
			return
		}
		at += step
	}
}

func (f *filter) add(k store.Key) {
	probe(k, func(word, bit uint64) bool {
		f.bits[word].Or(bit)
		return true
	})
}

// perhaps is false when the key is certainly not in the table.
func (f *filter) perhaps(k store.Key) bool {
	if !f.filled.Load() {
		return true
	}
	all := true
	probe(k, func(word, bit uint64) bool {
		all = f.bits[word].Load()&bit != 0
		return all
	})
	return all
}

// Next reads some keys of the table that follow one, in order; none at the end.
type Next func(ctx context.Context, after store.Key) ([]store.Key, error)

// Fill teaches the index which keys the table has, so that it need not look
// for others. Lookups are right before, during and after.
func (x *Index) Fill(ctx context.Context, next Next) error {
	var after store.Key
	for {
		list, err := next(ctx, after)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			x.filter.filled.Store(true)
			return nil
		}
		for _, k := range list {
			x.filter.add(k)
		}
		after = list[len(list)-1]
	}
}
