package run

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/bits"

	"github.com/event-gateway/gateway/gateway/store"
	"github.com/event-gateway/gateway/gateway/store/sqlite/conn"
)

// A block is entries in the order of their keys, then a checksum of its id and
// all of them. Which block of a run a key is in follows from the key: keys are
// digests, of which each block gets an equal part of all there could be.
const (
	keySize   = len(store.Key{})
	entrySize = keySize + len(store.Digest{}) + 8
	sumSize   = 4
	// perBlock is how many entries a block has on average: some six blocks
	// share a page.
	perBlock = 32
)

// blockOf is the number of the block, among so many, that a key is in. It grows
// with the key.
func blockOf(k *store.Key, blocks int64) int64 {
	n, _ := bits.Mul64(binary.BigEndian.Uint64(k[:8]), uint64(blocks))
	return int64(n)
}

// idOf a block: those of a run lie together.
func idOf(run, block int64) int64 { return run<<blockBits | block }

// blockBits bounds the blocks of one run.
const blockBits = 24

func appendEntry(b []byte, e *Entry) []byte {
	b = append(append(b, e.Key[:]...), e.Digest[:]...)
	return binary.LittleEndian.AppendUint64(b, uint64(e.Event))
}

func entryAt(b []byte) Entry {
	return Entry{
		Key: store.Key(b[:keySize]),
		Place: Place{
			Digest: store.Digest(b[keySize:][:len(store.Digest{})]),
			Event:  int64(binary.LittleEndian.Uint64(b[entrySize-8:])),
		},
	}
}

func seal(b []byte, id int64) []byte { return binary.LittleEndian.AppendUint32(b, sum(b, id)) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sum(b []byte, id int64) uint32 {
	var head [8]byte
	binary.LittleEndian.PutUint64(head[:], uint64(id))
	return crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, b)
}

// opened are the entries of a block whose checksum is right.
func opened(b []byte, id int64) ([]byte, error) {
	n := len(b) - sumSize
	if n < 0 || n%entrySize != 0 || sum(b[:n], id) != binary.LittleEndian.Uint32(b[n:]) {
		return nil, fmt.Errorf("block %d of keys: %w", id, conn.ErrDamaged)
	}
	return b[:n], nil
}

// within finds a key in the entries of a block.
func within(b []byte, k *store.Key) (Place, bool) {
	for ; len(b) >= entrySize; b = b[entrySize:] {
		if bytes.Equal(b[:keySize], k[:]) {
			return entryAt(b).Place, true
		}
	}
	return Place{}, false
}
