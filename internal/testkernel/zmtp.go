package testkernel

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Flags of a ZMTP frame.
const (
	flagMore    = 1
	flagLong    = 2
	flagCommand = 4
)

var errProtocol = errors.New("not ZMTP 3 with the NULL mechanism")

// peer is one connection after its handshake. recv belongs to one goroutine, the rest is safe for concurrent use.
type peer struct {
	conn     net.Conn
	r        *bufio.Reader
	identity string

	mu sync.Mutex // held for one write
}

// shakeHands does our half of ZMTP 3.0 with the NULL mechanism and reads the peer's.
func shakeHands(c net.Conn, socketType string) (*peer, error) {
	hello := make([]byte, 64)
	hello[0], hello[9], hello[10] = 0xff, 0x7f, 3
	copy(hello[12:], "NULL")
	ready := append([]byte("\x05READY\x0bSocket-Type\x00\x00\x00"), byte(len(socketType)))
	ready = append(ready, socketType...)
	if _, err := c.Write(append(append(hello, flagCommand, byte(len(ready))), ready...)); err != nil {
		return nil, err
	}
	p := &peer{conn: c, r: bufio.NewReader(c)}
	if _, err := io.ReadFull(p.r, hello); err != nil {
		return nil, err
	}
	if hello[0] != 0xff || hello[10] < 3 || string(hello[12:17]) != "NULL\x00" {
		return nil, errProtocol
	}
	flags, body, err := p.frame()
	if err != nil || flags&flagCommand == 0 {
		return nil, errors.Join(errProtocol, err)
	}
	p.identity, err = identityOf(body)
	return p, err
}

// identityOf reads the one property of a READY command that matters to a ROUTER.
func identityOf(ready []byte) (string, error) {
	if len(ready) < 6 || string(ready[:6]) != "\x05READY" {
		return "", errProtocol
	}
	for b := ready[6:]; len(b) > 0; {
		name := int(b[0])
		if len(b) < 1+name+4 {
			return "", errProtocol
		}
		size := uint64(binary.BigEndian.Uint32(b[1+name:]))
		value := b[1+name+4:]
		if uint64(len(value)) < size {
			return "", errProtocol
		}
		if string(b[1:1+name]) == "Identity" {
			return string(value[:size]), nil
		}
		b = value[size:]
	}
	return "", nil
}

func (p *peer) frame() (flags byte, body []byte, err error) {
	const limit = 1 << 30
	if flags, err = p.r.ReadByte(); err != nil {
		return 0, nil, err
	}
	var long [8]byte
	head := long[7:]
	if flags&flagLong != 0 {
		head = long[:]
	}
	if _, err := io.ReadFull(p.r, head); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint64(long[:])
	if size > limit {
		return 0, nil, fmt.Errorf("%w: frame of %d bytes", errProtocol, size)
	}
	body = make([]byte, size)
	_, err = io.ReadFull(p.r, body)
	return flags, body, err
}

// recv returns the next message. Commands are skipped.
func (p *peer) recv() (frames [][]byte, err error) {
	for {
		flags, body, err := p.frame()
		if err != nil {
			return nil, err
		}
		if flags&flagCommand != 0 {
			continue
		}
		frames = append(frames, body)
		if flags&flagMore == 0 {
			return frames, nil
		}
	}
}

// write writes bytes that are already framed, whole messages at a time.
func (p *peer) write(b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := p.conn.Write(b)
	return err
}

func (p *peer) send(frames ...[]byte) error {
	var b []byte
	for i, f := range frames {
		b = appendFrame(b, f, i < len(frames)-1)
	}
	return p.write(b)
}

func appendFrame(dst, body []byte, more bool) []byte {
	var flags byte
	if more {
		flags = flagMore
	}
	if len(body) < 256 {
		dst = append(dst, flags, byte(len(body)))
	} else {
		dst = binary.BigEndian.AppendUint64(append(dst, flags|flagLong), uint64(len(body)))
	}
	return append(dst, body...)
}
