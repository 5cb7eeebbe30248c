// Package wire is the codec of Jupyter messages: the frames that kernels speak over ZeroMQ and the two framings that
// clients speak over websockets.
//
// The JSON of a message is never decoded or encoded again. Header, parent header, metadata and content are passed on as
// the bytes that were signed; only a header's few interesting strings are read (Head). Parsed messages point into the
// bytes that they were parsed from.
package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// The channels of a kernel, as a Message names them.
const (
	Shell   = "shell"
	Control = "control"
	Stdin   = "stdin"
	IOPub   = "iopub"
)

var (
	// ErrMalformed means that bytes are not a message in the framing that was asked for.
	ErrMalformed = errors.New("wire: malformed message")
	// ErrSignature means that a message was not signed with the kernel's key.
	ErrSignature = errors.New("wire: bad signature")
)

// maxBuffers bounds what a message may make us allocate beyond its own size. Stock clients send a handful.
const maxBuffers = 512

// Message is one Jupyter message. The JSON parts are as they were received; a nil part is written as {}.
type Message struct {
	Channel string // Shell, Control, Stdin or IOPub

	Header, Parent, Metadata, Content []byte // JSON

	Buffers [][]byte // binary, not signed
}

// NewHeader returns the JSON of a header with the protocol version that we speak.
func NewHeader(msgID, msgType, session, username string, date time.Time) []byte {
	b, err := json.Marshal(struct {
		ID       string `json:"msg_id"`
		Type     string `json:"msg_type"`
		Username string `json:"username"`
		Session  string `json:"session"`
		Date     string `json:"date"`
		Version  string `json:"version"`
	}{msgID, msgType, username, session, date.UTC().Format("2006-01-02T15:04:05.000000Z"), "5.4"})
	if err != nil {
		panic(err) // strings always encode
	}
	return b
}

var emptyObject = []byte("{}")

// parts are the four signed parts, none of them nil.
func (m *Message) parts() [4][]byte {
	p := [4][]byte{m.Header, m.Parent, m.Metadata, m.Content}
	for i := range p {
		if len(p[i]) == 0 {
			p[i] = emptyObject
		}
	}
	return p
}

// channelNamed returns the constant for name, so that a message of a client's making costs no string.
func channelNamed(name []byte) (string, error) {
	switch string(name) {
	case Shell:
		return Shell, nil
	case Control:
		return Control, nil
	case Stdin:
		return Stdin, nil
	case IOPub:
		return IOPub, nil
	}
	return "", fmt.Errorf("%w: unknown channel %.20q", ErrMalformed, name)
}
