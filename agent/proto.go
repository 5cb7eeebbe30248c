package agent

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
)

// The attach protocol: frames on a unix socket, in both directions: u32 length of what follows (little-endian), u8 type,
// payload. The first frame is the client's Hello, answered by a Welcome or an Error.
type frameType byte

const (
	// client → agent
	frameHello     frameType = iota + 1 // JSON Hello; carries a board and perhaps the client's TCP socket as ancillary data
	frameInput                          // bytes for the bridge
	frameDelivered                      // u64: everything up to this record has reached the client
	frameCall                           // u32 id, JSON call
	// agent → client
	frameWelcome // JSON Welcome
	frameRecords // encoded journal records
	frameNotice  // bytes that the bridge made for the client in place of records that were cut
	frameState   // JSON State
	frameReply   // u32 id, JSON reply
	frameError   // JSON reply: the connection ends
)

// maxFrame bounds what either side accepts, in bytes. Memory is only taken as bytes really come.
const maxFrame = 300 << 20

// protocolVersion is sent in Hello and Welcome; an agent serves gateways of its own and the next version.
const protocolVersion = 1

// Hello opens an attachment.
type Hello struct {
	Version int `json:"version"`
	// Client is the key under which a client comes back, at most 255 bytes; it receives the records meant for everyone and for
	// this key. Attaching a key again ends its older attachment.
	Client string `json:"client,omitempty"`
	// Watch asks for States instead of records.
	Watch bool `json:"watch,omitempty"`
	// From is where a client that is not known begins: 0 means behind what is there, otherwise a sequence number. A known
	// client goes on behind what it has got.
	From uint64 `json:"from,omitempty"`
	// Last, when set, lets a client that is not known begin that many records before the end.
	Last uint64 `json:"last,omitempty"`
}

// Welcome answers a Hello.
type Welcome struct {
	Version int    `json:"version"`
	Next    uint64 `json:"next"`    // the first record that will be sent, if it is meant for this client
	Resumed bool   `json:"resumed"` // the client was known
	State   State  `json:"state"`
}

// call is a request to the agent.
type call struct {
	Method string          `json:"method"`
	Params json.RawMessage `json:"params,omitempty"`
}

// reply answers a call, or ends a connection.
type reply struct {
	Error  string          `json:"error,omitempty"`
	Code   string          `json:"code,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
}

// maxClient is how long a client's key may be, in bytes: so long as a journal's record can name it.
const maxClient = 255

var errFrameSize = errors.New("agent: frame is larger than the protocol allows")

const frameHead = 5

// appendFrameHead encodes the head of a frame whose payload is n bytes.
func appendFrameHead(dst []byte, t frameType, n int) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(n+1))
	return append(dst, byte(t))
}

func appendFrame(dst []byte, t frameType, payload []byte) []byte {
	return append(appendFrameHead(dst, t, len(payload)), payload...)
}

// readFrame reads one frame. The payload lies in buf if it fits, so it is good until buf is used again; it returns buf,
// grown where it had to be.
func readFrame(r io.Reader, buf []byte) (t frameType, payload, grown []byte, err error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, buf, err
	}
	n := int64(binary.LittleEndian.Uint32(head[:])) - 1
	if n < 0 || n > maxFrame {
		return 0, nil, buf, errFrameSize
	}
	payload, err = readInto(r, buf[:0], int(n))
	return frameType(head[4]), payload, payload[:0], err
}

// readInto reads n bytes behind buf in steps that double, so that an announced length costs nothing until its bytes come.
func readInto(r io.Reader, buf []byte, n int) ([]byte, error) {
	const step = 1 << 20
	for len(buf) < n {
		have := len(buf)
		want := min(n, max(cap(buf), 2*have, min(n, step)))
		if cap(buf) < want {
			bigger := make([]byte, have, want)
			copy(bigger, buf)
			buf = bigger
		}
		buf = buf[:want]
		if _, err := io.ReadFull(r, buf[have:want]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return buf[:have], err
		}
	}
	return buf, nil
}
