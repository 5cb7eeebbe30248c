package zmq_test

import (
	"bytes"
	"io"
	"net"
	"testing"

	"github.com/hopyard/hopyard/kernels/zmq"
)

// streamMessage is what an iopub socket carries for one small line of output.
func streamMessage() [][]byte {
	return [][]byte{
		[]byte("kernel.7f1d.stream"), []byte("<IDS|MSG>"), bytes.Repeat([]byte("a"), 64), bytes.Repeat([]byte("h"), 220),
		bytes.Repeat([]byte("p"), 220), []byte("{}"), []byte(`{"name":"stdout","text":"1\n"}`),
	}
}

func BenchmarkRecv(b *testing.B) {
	cfg := peer(b, func(c net.Conn) {
		c.Write(greet("PUB"))
		for batch := bytes.Repeat(message(streamMessage()...), 100); ; {
			if _, err := c.Write(batch); err != nil {
				return
			}
		}
	})
	ch := dial(b, cfg)
	b.ReportAllocs()
	for b.Loop() {
		if frames, err := ch.Recv(); err != nil || len(frames) != 7 {
			b.Fatal(len(frames), err)
		}
	}
	ch.Close()
}

func BenchmarkSend(b *testing.B) {
	cfg := peer(b, func(c net.Conn) {
		c.Write(greet("ROUTER"))
		io.Copy(io.Discard, c)
	})
	cfg.Type = zmq.Dealer
	ch := dial(b, cfg)
	b.ReportAllocs()
	for b.Loop() {
		if err := ch.Send(streamMessage()[1:]); err != nil {
			b.Fatal(err)
		}
	}
	ch.Close()
}
