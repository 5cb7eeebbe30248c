package tcpstat_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/hopyard/hopyard/internal/tcpstat"
	"golang.org/x/sys/unix"
)

// patience is how long a test waits for what should come at once: machines are busy.
const patience = 2 * time.Minute

// pair is a TCP connection with both ends.
func pair(t *testing.T, address string) (ours, theirs *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skip(err) // no such family here
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = c.Close(), s.Close() })
	return s.(*net.TCPConn), c.(*net.TCPConn)
}

func raw(t *testing.T, c syscall.Conn) syscall.RawConn {
	t.Helper()
	r, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func accepted(t *testing.T, c syscall.RawConn) uint64 {
	t.Helper()
	n, err := tcpstat.Accepted(c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// full says whether the peer's system takes no more: something waits, and nothing is on its way.
func full(t *testing.T, c syscall.RawConn) bool {
	t.Helper()
	var info *unix.TCPInfo
	var err error
	cerr := c.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) })
	if err := errors.Join(cerr, err); err != nil {
		t.Fatal(err)
	}
	return info.Notsent_bytes > 0 && info.Unacked == 0
}

func TestAcceptedCountsWhatTheSystemHasTaken(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			ours, theirs := pair(t, address)
			r := raw(t, ours)
			base := accepted(t, r)
			total := uint64(0)
			for range 200 { // while the other side reads some of it
				n, err := ours.Write(make([]byte, 1+rand.IntN(3000)))
				if err != nil {
					t.Fatal(err)
				}
				total += uint64(n)
				_, _ = theirs.Read(make([]byte, 1+rand.IntN(3000)))
				if got := accepted(t, r) - base; got != total {
					t.Fatalf("Accepted() = %d, want %d", got, total)
				}
			}
		})
	}
}

func TestAcceptedCountsAWriteThatBrokeOff(t *testing.T) {
	t.Parallel()
	ours, theirs := pair(t, "127.0.0.1:0")
	if err := theirs.SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	r := raw(t, ours)
	base := accepted(t, r)
	type result struct {
		n   int
		err error
	}
	written := make(chan result)
	go func() {
		n, err := ours.Write(make([]byte, 32<<20))
		written <- result{n, err}
	}()
	for deadline := time.Now().Add(patience); !full(t, r); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("the peer takes all")
		}
	}
	_ = ours.SetWriteDeadline(time.Unix(1, 0))
	broken := <-written
	n := broken.n
	if broken.err == nil {
		t.Fatal("all of it was written, though nobody reads")
	}
	if got := accepted(t, r) - base; got != uint64(n) {
		t.Errorf("Accepted() = %d, want the %d bytes that Write counted", got, n)
	}
	if acked, err := tcpstat.Acked(r); err != nil || acked-base >= uint64(n) {
		t.Errorf("Acked() = %d, %v, want less than %d", acked-base, err, n)
	}
	go func() { _, _ = io.Copy(io.Discard, theirs) }()
	for deadline := time.Now().Add(patience); ; runtime.Gosched() {
		if acked, err := tcpstat.Acked(r); err == nil && acked-base == uint64(n) {
			break
		}
		if got := accepted(t, r) - base; got != uint64(n) {
			t.Fatalf("Accepted() = %d while the peer reads, want %d", got, n)
		}
		if time.Now().After(deadline) {
			t.Fatal("not all was confirmed")
		}
	}
}

func TestCountsSurviveTheWriter(t *testing.T) {
	t.Parallel()
	ours, theirs := pair(t, "127.0.0.1:0")
	f, err := ours.File() // another hold on the same socket
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := raw(t, f)
	base := accepted(t, r)
	if _, err := ours.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	_, _ = ours.Close(), theirs.Close() // with what was never read: the peer resets the connection
	if got := accepted(t, r) - base; got != 1000 {
		t.Errorf("Accepted() = %d, want 1000", got)
	}
}

func TestOtherSocketsAreRefused(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if n, err := tcpstat.Accepted(raw(t, l.(*net.UnixListener))); err == nil {
		t.Errorf("Accepted() of a unix socket = %d", n)
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := tcpstat.Acked(raw(t, f)); err == nil {
		t.Errorf("Acked() of a file = %d", n)
	}
	_ = f.Close()
}
