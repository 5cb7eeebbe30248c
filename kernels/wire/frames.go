package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
)

// delimiter ends the routing frames of a ZeroMQ message.
var delimiter = []byte("<IDS|MSG>")

// Signer reads and writes the ZeroMQ frames of one kernel: routing frames, delimiter, signature, header, parent header,
// metadata, content, buffers. It is not safe for concurrent use; give each goroutine its own.
type Signer struct {
	mac hash.Hash // nil: messages are not signed
	sum [sha256.Size]byte
	hex [2 * sha256.Size]byte
}

// NewSigner returns a Signer for the key of a kernel's connection file. With an empty key messages are neither signed
// nor checked.
func NewSigner(key []byte) *Signer {
	if len(key) == 0 {
		return &Signer{}
	}
	return &Signer{mac: hmac.New(sha256.New, key)}
}

// FromFrames checks the frames of a message that was received on channel and takes it apart. It returns ErrMalformed
// or ErrSignature. The message points into the frames. What precedes the delimiter, identities or a topic, is dropped.
func (s *Signer) FromFrames(frames [][]byte, channel string) (Message, error) {
	f := frames
	for len(f) > 0 && string(f[0]) != string(delimiter) {
		f = f[1:]
	}
	if len(f) < 6 {
		return Message{}, fmt.Errorf("%w: %d frames, %d from the delimiter on", ErrMalformed, len(frames), len(f))
	}
	m := Message{Channel: channel, Header: f[2], Parent: f[3], Metadata: f[4], Content: f[5]}
	if len(f) > 6 {
		m.Buffers = f[6:]
	}
	if s.mac != nil && !hmac.Equal(f[1], s.sign(f[2:6])) {
		return Message{}, ErrSignature
	}
	return m, nil
}

// AppendFrames appends the frames of m, signed, to dst, which may already hold routing frames.
func (s *Signer) AppendFrames(dst [][]byte, m Message) [][]byte {
	p := m.parts()
	signature := []byte{}
	if s.mac != nil {
		signature = append(signature, s.sign(p[:])...)
	}
	dst = append(dst, delimiter, signature, p[0], p[1], p[2], p[3])
	return append(dst, m.Buffers...)
}

// sign returns the signature of the four parts, valid until the next call.
func (s *Signer) sign(parts [][]byte) []byte {
	s.mac.Reset()
	for _, p := range parts {
		s.mac.Write(p)
	}
	hex.Encode(s.hex[:], s.mac.Sum(s.sum[:0]))
	return s.hex[:]
}
