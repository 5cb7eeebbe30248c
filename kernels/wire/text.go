package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// ParseDefault reads a websocket frame of the framing without a subprotocol, as clients send it: a JSON object, or, in a
// binary frame, the JSON object and the message's buffers. A missing channel means shell. The buffers point into b.
func ParseDefault(b []byte, binary bool) (Message, error) {
	var buffers [][]byte
	if binary {
		var err error
		if b, buffers, err = splitBinary(b); err != nil {
			return Message{}, err
		}
	}
	var raw struct {
		Channel  *string         `json:"channel"`
		Header   json.RawMessage `json:"header"`
		Parent   json.RawMessage `json:"parent_header"`
		Metadata json.RawMessage `json:"metadata"`
		Content  json.RawMessage `json:"content"`
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	m := Message{
		Channel: Shell, Header: raw.Header, Parent: object(raw.Parent), Metadata: object(raw.Metadata),
		Content: object(raw.Content), Buffers: buffers,
	}
	if len(m.Header) == 0 || m.Header[0] != '{' {
		return Message{}, fmt.Errorf("%w: no header", ErrMalformed)
	}
	if raw.Channel != nil {
		var err error
		if m.Channel, err = channelNamed([]byte(*raw.Channel)); err != nil {
			return Message{}, err
		}
	}
	return m, nil
}

// object is raw, or {} if there is nothing: a kernel wants an object where some clients send null.
func object(raw json.RawMessage) []byte {
	if len(raw) == 0 || string(raw) == "null" {
		return emptyObject
	}
	return raw
}

// splitBinary takes a frame apart which is, all big-endian: the 32-bit count n of parts, n offsets from the frame's
// start, the JSON, the buffers.
func splitBinary(b []byte) (text []byte, buffers [][]byte, err error) {
	const word = 4
	if len(b) < word {
		return nil, nil, fmt.Errorf("%w: binary frame of %d bytes", ErrMalformed, len(b))
	}
	n := uint64(binary.BigEndian.Uint32(b))
	end := (1 + n) * word
	if n < 1 || n > 1+maxBuffers || uint64(len(b)) < end {
		return nil, nil, fmt.Errorf("%w: %d parts in %d bytes", ErrMalformed, n, len(b))
	}
	parts, stop := make([][]byte, n), uint64(len(b))
	for i := len(parts) - 1; i >= 0; i-- {
		at := uint64(binary.BigEndian.Uint32(b[(1+i)*word:]))
		if at < end || at > stop {
			return nil, nil, fmt.Errorf("%w: offset %d is %d", ErrMalformed, i, at)
		}
		parts[i], stop = b[at:stop:stop], at
	}
	if n == 1 {
		return parts[0], nil, nil
	}
	return parts[0], parts[1:], nil
}

// AppendDefault appends m as a websocket frame of the framing without a subprotocol and says whether the frame is a
// binary one, which it is if m has buffers.
func AppendDefault(dst []byte, m Message) (out []byte, isBinary bool) {
	if len(m.Buffers) == 0 {
		return AppendText(dst, m), false
	}
	const word = 4
	start, n := len(dst), 1+len(m.Buffers)
	dst = append(dst, make([]byte, word*(1+n))...)
	table := func(i int, v int) { binary.BigEndian.PutUint32(dst[start+word*i:], uint32(v)) }
	table(0, n)
	table(1, len(dst)-start)
	dst = AppendText(dst, m)
	for i, buf := range m.Buffers {
		table(2+i, len(dst)-start)
		dst = append(dst, buf...)
	}
	return dst, true
}

// AppendText appends m as the JSON of a text frame without its buffers, for clients that cannot read binary frames.
// The JSON parts are joined as they are; bytes that are not UTF-8, at which a browser would hang up, are replaced.
func AppendText(dst []byte, m Message) []byte {
	start, parts := len(dst), m.parts()
	h, _ := scanHead(parts[0]) // a header that cannot be read has no id and no type
	dst = append(dst, `{"channel":"`...)
	dst = append(dst, m.Channel...)
	dst = append(dst, `","msg_id":`...)
	dst = append(dst, orEmpty(h.id)...)
	dst = append(dst, `,"msg_type":`...)
	dst = append(dst, orEmpty(h.kind)...)
	for i, name := range [4]string{"header", "parent_header", "metadata", "content"} {
		dst = append(dst, `,"`...)
		dst = append(dst, name...)
		dst = append(dst, `":`...)
		dst = append(dst, parts[i]...)
	}
	dst = append(dst, `,"buffers":[]}`...)
	if !utf8.Valid(dst[start:]) {
		dst = append(dst[:start], bytes.ToValidUTF8(dst[start:], []byte("\ufffd"))...)
	}
	return dst
}

// orEmpty is a JSON string: the token, or the empty string.
func orEmpty(token []byte) []byte {
	if len(token) == 0 {
		return []byte(`""`)
	}
	return token
}
