package store

import "crypto/sha256"

// KeyOf digests what names a sending, such as ("id", source, delivery id). No
// part but the last may hold a zero byte: so none can pass for two others.
func KeyOf(parts ...string) Key {
	var room [256]byte
	b := room[:0]
	for _, p := range parts {
		b = append(append(b, p...), 0)
	}
	sum := sha256.Sum256(b)
	return Key(sum[:len(Key{})])
}

// Identity is the key of an event's source and id, which name it (CloudEvents
// 1.0). Append adds it to an entry's own keys.
func Identity(source, id string) Key { return KeyOf("id", source, id) }

// DigestOf digests a body.
func DigestOf(body []byte) Digest {
	sum := sha256.Sum256(body)
	return Digest(sum[:len(Digest{})])
}
