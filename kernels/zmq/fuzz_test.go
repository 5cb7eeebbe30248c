package zmq_test

import (
	"net"
	"testing"
	"time"

	"github.com/hopyard/hopyard/kernels/zmq"
)

// FuzzPeer checks that whatever a peer says ends in an error, within the limits, and never in a panic.
func FuzzPeer(f *testing.F) {
	f.Add(greet("PUB"))
	f.Add(append(greet("XPUB"), message([]byte("topic"), nil, []byte("x"))...))
	f.Add(append(greet("PUB"), header(2, 1<<62)...))
	f.Add(append(greet("PUB"), 4, 5, 4, 'P', 'I', 'N', 'G'))
	f.Add(append(greet("PUB")[:64], header(6, 20)...))
	f.Add([]byte{0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f})
	said := make(chan []byte, 1)
	cfg := peer(f, func(c net.Conn) { c.Write(<-said) })
	cfg.MaxMessage, cfg.MaxFrames, cfg.HandshakeTimeout = 1000, 10, time.Second
	f.Fuzz(func(t *testing.T, b []byte) {
		said <- b
		ch, err := zmq.Dial(t.Context(), cfg)
		if err != nil {
			return
		}
		for err == nil {
			var frames [][]byte
			frames, err = ch.Recv()
			checkLimits(t, frames)
		}
	})
}

func checkLimits(t *testing.T, frames [][]byte) {
	sum := 0
	for _, f := range frames {
		sum += len(f)
	}
	if len(frames) > 10 || sum > 1000 {
		t.Fatalf("%d frames of %d bytes passed the limits", len(frames), sum)
	}
}
