package zmq_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/hopyard/hopyard/kernels/zmq"
)

// socketPath is short enough for a socket's address, which t.TempDir may not be.
func socketPath(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "zmq")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// peer listens on a unix socket and gives each connection, one after the other, to serve. Then it waits for the client to leave.
func peer(tb testing.TB, serve func(net.Conn)) zmq.Config {
	tb.Helper()
	path := socketPath(tb)
	l, err := net.Listen("unix", path)
	if err != nil {
		tb.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(c)
			c.(*net.UnixConn).CloseWrite()
			io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	tb.Cleanup(func() {
		l.Close()
		<-done
	})
	return zmq.Config{Network: "unix", Addr: path, Type: zmq.Sub}
}

// greet is a peer's whole half of the handshake.
func greet(socketType string) []byte {
	b := make([]byte, 64)
	b[0], b[9], b[10] = 0xff, 0x7f, 3
	copy(b[12:], "NULL")
	return append(b, ready(socketType)...)
}

func ready(socketType string) []byte {
	body := []byte("\x05READY\x0bSocket-Type\x00\x00\x00")
	body = append(append(body, byte(len(socketType))), socketType...)
	return append([]byte{4, byte(len(body))}, body...)
}

// say sends the handshake and then b, and says nothing more until the client leaves.
func say(b []byte) func(net.Conn) {
	return func(c net.Conn) {
		c.Write(append(greet("PUB"), b...))
		io.Copy(io.Discard, c)
	}
}

// echo is a ROUTER that sends everything back.
func echo(c net.Conn) {
	c.Write(greet("ROUTER"))
	r := bufio.NewReader(c)
	r.Discard(64)
	if head, err := r.Peek(2); err == nil {
		r.Discard(2 + int(head[1])) // READY
	}
	io.Copy(c, r)
}

func header(flags byte, size uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{flags}, size)
}

// message is one multipart message on the wire.
func message(frames ...[]byte) []byte {
	var b bytes.Buffer
	for i, f := range frames {
		flags := byte(1)
		if i == len(frames)-1 {
			flags = 0
		}
		if len(f) > 255 {
			b.Write(header(flags|2, uint64(len(f))))
		} else {
			b.Write([]byte{flags, byte(len(f))})
		}
		b.Write(f)
	}
	return b.Bytes()
}
