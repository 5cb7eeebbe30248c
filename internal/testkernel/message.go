package testkernel

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"time"
)

const delimiter = "<IDS|MSG>"

// request is a message to the kernel.
type request struct {
	identity string
	route    [][]byte // frames between identity and delimiter, given back in the reply
	parent   []byte   // its header, the parent of all answers
	kind     string
	content  json.RawMessage
}

// voice signs and writes the kernel's messages. Each goroutine has its own.
type voice struct {
	mac     hash.Hash // nil without a key
	session string    // of the kernel
	id      string    // of this voice
	count   int       // of its messages
	date    []byte
	header  []byte
	sum     [sha256.Size]byte
	hex     [2 * sha256.Size]byte
}

func newVoice(key []byte, session string) *voice {
	v := &voice{session: session, id: rand.Text()}
	if len(key) > 0 {
		v.mac = hmac.New(sha256.New, key)
	}
	v.stamp()
	return v
}

// stamp sets the date of the messages that follow. A flood has one date for all, which saves a third of its time.
func (v *voice) stamp() {
	v.date = time.Now().UTC().AppendFormat(v.date[:0], "2006-01-02T15:04:05.000000Z")
}

// append appends a framed message: route is a topic, or what precedes the delimiter in a reply.
func (v *voice) append(dst []byte, route [][]byte, kind string, parent, content []byte, buffers ...[]byte) []byte {
	v.setHeader(kind)
	for _, f := range route {
		dst = appendFrame(dst, f, true)
	}
	dst = appendFrame(dst, []byte(delimiter), true)
	dst = appendFrame(dst, v.sign(v.header, parent, []byte("{}"), content), true)
	dst = appendFrame(dst, v.header, true)
	dst = appendFrame(dst, parent, true)
	dst = appendFrame(dst, []byte("{}"), true)
	dst = appendFrame(dst, content, len(buffers) > 0)
	for i, b := range buffers {
		dst = appendFrame(dst, b, i < len(buffers)-1)
	}
	return dst
}

func (v *voice) setHeader(kind string) {
	v.count++
	h := append(v.header[:0], `{"msg_id":"`...)
	h = append(h, v.id...)
	h = strconv.AppendInt(append(h, '_'), int64(v.count), 10)
	h = append(append(h, `","msg_type":"`...), kind...)
	h = append(append(h, `","username":"testkernel","session":"`...), v.session...)
	h = append(append(h, `","date":"`...), v.date...)
	v.header = append(h, `","version":"5.4"}`...)
}

// sign returns the signature of the parts, valid until the next call.
func (v *voice) sign(parts ...[]byte) []byte {
	if v.mac == nil {
		return nil
	}
	v.mac.Reset()
	for _, p := range parts {
		v.mac.Write(p)
	}
	hex.Encode(v.hex[:], v.mac.Sum(v.sum[:0]))
	return v.hex[:]
}

var errMessage = errors.New("message refused")

// read checks and takes apart what came on a router.
func (v *voice) read(in inbound) (request, error) {
	f := in.frames
	at := 0
	for at < len(f) && string(f[at]) != delimiter {
		at++
	}
	if len(f)-at < 6 {
		return request{}, fmt.Errorf("%w: %d frames", errMessage, len(f))
	}
	signed := f[at+2 : at+6]
	if v.mac != nil && !hmac.Equal(f[at+1], v.sign(signed...)) {
		return request{}, fmt.Errorf("%w: bad signature", errMessage)
	}
	var head struct {
		Kind string `json:"msg_type"`
	}
	if err := json.Unmarshal(signed[0], &head); err != nil {
		return request{}, fmt.Errorf("%w: %w", errMessage, err)
	}
	return request{identity: in.identity, route: f[:at], parent: signed[0], kind: head.Kind, content: signed[3]}, nil
}

// object is the content of a message.
type object = map[string]any

func encode(content any) []byte {
	b, err := json.Marshal(content)
	if err != nil {
		panic(err) // contents are made of strings and numbers
	}
	return b
}
