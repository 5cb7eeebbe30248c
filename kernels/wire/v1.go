package wire

import (
	"encoding/binary"
	"fmt"
)

// V1Protocol is the websocket subprotocol whose framing ParseV1 and AppendV1 speak.
const V1Protocol = "v1.kernel.websocket.jupyter.org"

// A v1 frame is a table and the parts that it points at, all little-endian: the count n of offsets, n offsets from the
// frame's start, channel name, header, parent header, metadata, content, buffers. The last offset is the end.
const (
	v1Word     = 8
	v1MinParts = 5
)

// ParseV1 reads a binary websocket frame of the v1 protocol. The message points into b.
func ParseV1(b []byte) (Message, error) {
	offsets, err := v1Offsets(b)
	if err != nil {
		return Message{}, err
	}
	part := func(i int) []byte { return b[offsets.at(i):offsets.at(i+1):offsets.at(i+1)] }
	channel, err := channelNamed(part(0))
	if err != nil {
		return Message{}, err
	}
	m := Message{Channel: channel, Header: part(1), Parent: part(2), Metadata: part(3), Content: part(4)}
	if n := offsets.len() - 1 - v1MinParts; n > 0 {
		m.Buffers = make([][]byte, n)
		for i := range m.Buffers {
			m.Buffers[i] = part(v1MinParts + i)
		}
	}
	return m, nil
}

// v1Table is a frame's offsets, read where they lie.
type v1Table []byte

func (t v1Table) len() int        { return len(t) / v1Word }
func (t v1Table) at(i int) uint64 { return binary.LittleEndian.Uint64(t[i*v1Word:]) }

// v1Offsets returns the table if each of its offsets can be used to cut b.
func v1Offsets(b []byte) (v1Table, error) {
	if len(b) < v1Word {
		return nil, fmt.Errorf("%w: frame of %d bytes", ErrMalformed, len(b))
	}
	n := binary.LittleEndian.Uint64(b)
	if n < v1MinParts+1 || n > v1MinParts+1+maxBuffers {
		return nil, fmt.Errorf("%w: %d offsets", ErrMalformed, n)
	}
	end := (1 + n) * v1Word
	if uint64(len(b)) < end {
		return nil, fmt.Errorf("%w: %d offsets in %d bytes", ErrMalformed, n, len(b))
	}
	table, low := v1Table(b[v1Word:end]), end
	for i := range table.len() {
		at := table.at(i)
		if at < low || at > uint64(len(b)) {
			return nil, fmt.Errorf("%w: offset %d is %d", ErrMalformed, i, at)
		}
		low = at
	}
	return table, nil
}

// SizeV1 is the number of bytes that AppendV1 appends.
func SizeV1(m Message) int {
	n := v1Word*(2+v1MinParts+len(m.Buffers)) + len(m.Channel)
	for _, p := range m.parts() {
		n += len(p)
	}
	for _, buf := range m.Buffers {
		n += len(buf)
	}
	return n
}

// AppendV1 appends m as a binary websocket frame of the v1 protocol.
func AppendV1(dst []byte, m Message) []byte {
	size := SizeV1(m)
	if cap(dst)-len(dst) < size {
		dst = append(make([]byte, 0, len(dst)+size), dst...)
	}
	parts := m.parts()
	n := v1MinParts + len(m.Buffers)
	at := uint64(v1Word * (2 + n))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(n+1))
	dst = binary.LittleEndian.AppendUint64(dst, at)
	next := func(size int) {
		at += uint64(size)
		dst = binary.LittleEndian.AppendUint64(dst, at)
	}
	next(len(m.Channel))
	for _, p := range parts {
		next(len(p))
	}
	for _, buf := range m.Buffers {
		next(len(buf))
	}
	dst = append(dst, m.Channel...)
	for _, p := range parts {
		dst = append(dst, p...)
	}
	for _, buf := range m.Buffers {
		dst = append(dst, buf...)
	}
	return dst
}
