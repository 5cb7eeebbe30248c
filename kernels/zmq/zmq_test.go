package zmq_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/kernels/zmq"
)

// TestMain fails if the library left a goroutine behind in any test.
func TestMain(m *testing.M) {
	code := m.Run()
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for s := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(s, "zmq4.") || strings.Contains(s, "zmq.(*Channel)") {
			fmt.Printf("goroutine left behind:\n%s\n", s)
			code = 1
		}
	}
	os.Exit(code)
}

func dial(tb testing.TB, cfg zmq.Config) *zmq.Channel {
	tb.Helper()
	c, err := zmq.Dial(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

func TestRecvReturnsMessagesInOrderThenEOF(t *testing.T) {
	t.Parallel()
	big := bytes.Repeat([]byte("x"), 300_000)
	cfg := peer(t, func(c net.Conn) {
		c.Write(greet("PUB"))
		c.Write(message([]byte("a"), nil, big))
		c.Write(message([]byte("b")))
	})
	ch := dial(t, cfg)
	first, err := ch.Recv()
	if err != nil || len(first) != 3 || string(first[0]) != "a" || len(first[1]) != 0 || !bytes.Equal(first[2], big) {
		t.Fatalf("first message: %d frames, %v", len(first), err)
	}
	if second, err := ch.Recv(); err != nil || len(second) != 1 || string(second[0]) != "b" {
		t.Fatalf("second message: %q, %v", second, err)
	}
	if _, err := ch.Recv(); !errors.Is(err, io.EOF) {
		t.Fatalf("end: %v, want io.EOF", err)
	}
	if err := ch.Send([][]byte{nil}); !errors.Is(err, zmq.ErrClosed) {
		t.Fatalf("send after the end: %v, want ErrClosed", err)
	}
}

func TestPendingTellsThatMoreIsBuffered(t *testing.T) {
	t.Parallel()
	ch := dial(t, peer(t, say(append(message([]byte("1")), message([]byte("2"))...))))
	for _, more := range []bool{true, false} {
		if _, err := ch.Recv(); err != nil || ch.Pending() != more {
			t.Fatalf("pending %v, %v; want %v", ch.Pending(), err, more)
		}
	}
}

func TestRecvRefusesHostilePeersWithoutAllocating(t *testing.T) {
	many := bytes.Repeat([]byte{1, 1, 'x'}, 2000)
	spread := bytes.Repeat(append(header(3, 1<<20), make([]byte, 1<<20)...), 3)
	for name, test := range map[string]struct {
		bytes []byte
		want  error
	}{
		"8 GB":                   {header(2, 8<<30), zmq.ErrTooBig},
		"1 TiB":                  {header(2, 1<<40), zmq.ErrTooBig},
		"2^62":                   {header(2, 1<<62), zmq.ErrTooBig},
		"2^64-1":                 {header(2, 1<<64-1), zmq.ErrTooBig},
		"just over":              {header(2, 2<<20+1), zmq.ErrTooBig},
		"many frames":            {many, zmq.ErrTooBig},
		"over in several frames": {spread, zmq.ErrTooBig},
		"ping":                   {[]byte{4, 5, 4, 'P', 'I', 'N', 'G'}, zmq.ErrProtocol},
		"garbage":                {[]byte("HTTP/1.1 400 Bad Request\r\n"), zmq.ErrProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := peer(t, say(append(message([]byte("fine")), test.bytes...)))
			cfg.MaxMessage = 2 << 20
			ch := dial(t, cfg)
			if _, err := ch.Recv(); err != nil {
				t.Fatalf("message before the hostile one: %v", err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := ch.Recv()
			runtime.ReadMemStats(&after)
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 3<<20 {
				t.Fatalf("allocated %d bytes", grown)
			}
			if _, err := ch.Recv(); !errors.Is(err, zmq.ErrClosed) {
				t.Fatalf("afterwards: %v, want ErrClosed", err)
			}
		})
	}
}

func TestRecvTellsAPeerThatLeftInsideAMessage(t *testing.T) {
	t.Parallel()
	for _, cut := range [][]byte{{1}, {1, 5, 'x'}, {1, 1, 'x'}, {2, 0, 0, 0}} {
		ch := dial(t, peer(t, func(c net.Conn) { c.Write(append(greet("PUB"), cut...)) }))
		if _, err := ch.Recv(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut %v: %v", cut, err)
		}
	}
}

func TestDialRefusesPeersThatAreNoKernel(t *testing.T) {
	t.Parallel()
	huge := append(greet("PUB")[:64], header(6, 1<<40)...)
	for name, hello := range map[string][]byte{
		"unknown socket type": greet("XYZ"), "wrong socket type": greet("ROUTER"), "nothing": {},
		"huge ready": huge, "web server": []byte(strings.Repeat("HTTP/1.1 400 ", 20)),
		"message first": append(greet("PUB")[:64], message([]byte("x"))...),
	} {
		cfg := peer(t, func(c net.Conn) { c.Write(hello) })
		if ch, err := zmq.Dial(t.Context(), cfg); err == nil {
			ch.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestDialGivesUpOnASilentPeer(t *testing.T) {
	t.Parallel()
	cfg := peer(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	cfg.HandshakeTimeout = 20 * time.Millisecond
	if _, err := zmq.Dial(t.Context(), cfg); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %v, want a timeout", err)
	}
	cfg.HandshakeTimeout = time.Hour
	why := errors.New("kernel died")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(why) })
	if _, err := zmq.Dial(ctx, cfg); !errors.Is(err, why) {
		t.Fatalf("got %v, want the cause of the cancelled context", err)
	}
}

func TestDialSurvivesMutatedHandshakes(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	hellos := make(chan []byte, 1)
	cfg := peer(t, func(c net.Conn) { c.Write(<-hellos) })
	for range 5000 {
		hellos <- mutate(rng, append(greet("PUB"), message([]byte("topic"), []byte("x"))...))
		if ch, err := zmq.Dial(t.Context(), cfg); err == nil {
			for err == nil {
				_, err = ch.Recv()
			}
		}
	}
}

func mutate(rng *rand.Rand, b []byte) []byte {
	for range 1 + rng.IntN(4) {
		b[rng.IntN(len(b))] = byte(rng.Uint32())
	}
	return b[:len(b)-rng.IntN(3)*rng.IntN(len(b)/2)]
}

func TestDialWhenReadyWaitsForTheSocket(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	cfg := zmq.Config{Network: "unix", Addr: path, Type: zmq.Sub}
	got := make(chan error, 1)
	go func() {
		ch, err := zmq.DialWhenReady(t.Context(), cfg)
		if err == nil {
			ch.Close()
		}
		got <- err
	}()
	time.AfterFunc(10*time.Millisecond, func() {
		l, err := net.Listen("unix", path)
		if err != nil {
			return
		}
		defer l.Close()
		if c, err := l.Accept(); err == nil {
			defer c.Close()
			say(nil)(c)
		}
	})
	if err := <-got; err != nil {
		t.Fatal(err)
	}
}

func TestDialWhenReadyEndsWithItsContext(t *testing.T) {
	t.Parallel()
	why := errors.New("kernel died")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	cfg := zmq.Config{Network: "unix", Addr: socketPath(t), Type: zmq.Sub}
	if _, err := zmq.DialWhenReady(ctx, cfg); !errors.Is(err, why) {
		t.Fatalf("got %v", err)
	}
}

func TestSendToAPeerThatDoesNotReadHasAnUnknownFate(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	cfg := peer(t, func(c net.Conn) {
		c.Write(greet("ROUTER"))
		<-release
	})
	defer close(release)
	cfg.Type, cfg.WriteTimeout = zmq.Dealer, 50*time.Millisecond
	ch := dial(t, cfg)
	received := make(chan error, 1)
	go func() {
		_, err := ch.Recv()
		received <- err
	}()
	var err error
	for big := make([]byte, 100_000); err == nil; {
		err = ch.Send([][]byte{[]byte("x"), big})
	}
	if !errors.Is(err, zmq.ErrUnknownFate) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %v, want ErrUnknownFate after a timeout", err)
	}
	if err := ch.Send([][]byte{[]byte("x")}); !errors.Is(err, zmq.ErrClosed) {
		t.Fatalf("send afterwards: %v, want ErrClosed", err)
	}
	if err := <-received; !errors.Is(err, zmq.ErrClosed) {
		t.Fatalf("receiver: %v, want ErrClosed", err)
	}
}

func TestConcurrentSendsDoNotMix(t *testing.T) {
	t.Parallel()
	const senders, each = 8, 50
	cfg := peer(t, echo)
	cfg.Type = zmq.Dealer
	ch := dial(t, cfg)
	for s := range senders {
		go func() {
			id := []byte{byte(s)}
			for range each {
				ch.Send([][]byte{id, bytes.Repeat(id, 1000), bytes.Repeat(id, 5000), id})
			}
		}()
	}
	for range senders * each {
		frames, err := ch.Recv()
		if err != nil || len(frames) != 4 {
			t.Fatalf("%d frames, %v", len(frames), err)
		}
		for i, n := range []int{1, 1000, 5000, 1} {
			if !bytes.Equal(frames[i], bytes.Repeat(frames[0], n)) {
				t.Fatalf("frame %d is of several messages", i)
			}
		}
	}
}
