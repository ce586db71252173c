package run

import (
	"encoding/binary"
	"math/bits"

	"github.com/event-gateway/gateway/gateway/store"
)

// filter tells, without looking, that a key is not in a run: nearly every event
// is new, and a look for each of its keys would be a good part of a commit. It
// is a Bloom filter in lines of 64 bytes, so that a question costs one line of
// the processor's cache; with 14 bits a key it is wrong for two or three of a
// thousand keys.
type filter []byte

const (
	lineBytes  = 64
	bitsPerKey = 14
	probes     = 7
	// probeBits choose one of the 512 bits of a line.
	probeBits = 9
)

func newFilter(keys int) filter {
	lines := (keys*bitsPerKey + lineBytes*8 - 1) / (lineBytes * 8)
	return make(filter, max(1, lines)*lineBytes)
}

// line is where a key's bits are. Keys are digests: their own bytes are as good
// as hashes of them.
func (f filter) line(k *store.Key) []byte {
	lines := uint64(len(f) / lineBytes)
	at, _ := bits.Mul64(binary.LittleEndian.Uint64(k[8:]), lines)
	return f[at*lineBytes:][:lineBytes]
}

func (f filter) add(k *store.Key) {
	line, which := f.line(k), binary.LittleEndian.Uint64(k[:8])
	for range probes {
		line[which>>3%lineBytes] |= 1 << (which % 8)
		which >>= probeBits
	}
}

// perhaps is false when the key is certainly not in the run.
func (f filter) perhaps(k *store.Key) bool {
	line, which := f.line(k), binary.LittleEndian.Uint64(k[:8])
	for range probes {
		if line[which>>3%lineBytes]&(1<<(which%8)) == 0 {
			return false
		}
		which >>= probeBits
	}
	return true
}
