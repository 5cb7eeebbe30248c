package agent

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{}, 0)
	f.Add(appendFrame(nil, frameInput, []byte("hello")), 4)
	f.Add([]byte("\xff\xff\xff\xff\x01"), 0)
	f.Add([]byte("\x00\x00\x00\x00\x01"), 16)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		r := bytes.NewReader(b)
		buf := make([]byte, 0, min(max(size, 0), 1<<16))
		for {
			typ, payload, grown, err := readFrame(r, buf)
			if err != nil {
				return
			}
			if want := appendFrame(nil, typ, payload); !bytes.Contains(b, want) {
				t.Fatalf("frame %d %q is not in %q", typ, payload, b)
			}
			if cap(grown) > 2*len(b)+1<<16 {
				t.Fatalf("a buffer of %d bytes for %d", cap(grown), len(b))
			}
			buf = grown
		}
	})
}

func FuzzReadHello(f *testing.F) {
	f.Add([]byte(`{"version":1,"watch":true}`), true)
	f.Add([]byte(`{"client":"x","from":18446744073709551615}`), true)
	f.Add([]byte("\x1b\x00\x00\x00\x01{}"), false)
	f.Fuzz(func(t *testing.T, b []byte, framed bool) {
		if framed {
			b = appendFrame(nil, frameHello, b)
		}
		if len(b) == 0 || len(b) > 16<<10 {
			return
		}
		ours, theirs := pair(t)
		go func() {
			_, _ = theirs.Write(b)
			_ = theirs.CloseWrite()
		}()
		h, files, err := readHello(ours)
		if len(files) > 0 {
			t.Fatalf("%d files from nowhere", len(files))
		}
		if err == nil && (!framed || !json.Valid(b[frameHead:]) || len(h.Client) > maxClient) {
			t.Fatalf("readHello(%q) = %+v", b, h)
		}
	})
}

// pair is a connection between two unix sockets.
func pair(t testing.TB) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	conn := func(fd int) *net.UnixConn {
		f := os.NewFile(uintptr(fd), "pair")
		defer f.Close()
		c, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c.(*net.UnixConn)
	}
	return conn(fds[0]), conn(fds[1])
}

func TestFilesOfABadHelloAreClosed(t *testing.T) {
	ours, theirs := pair(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	before := count()
	fd := int(null.Fd())
	if _, _, err := theirs.WriteMsgUnix(appendFrame(nil, frameHello, []byte("{")), unix.UnixRights(fd, fd, fd), nil); err != nil {
		t.Fatal(err)
	}
	if _, files, err := readHello(ours); err == nil || len(files) > 0 {
		t.Errorf("readHello() = %d files, %v, want an error", len(files), err)
	}
	if after := count(); after > before {
		t.Errorf("%d files are open, want no more than %d as before", after, before)
	}
}

func TestWatcherWhoComesAtTheEndIsToldItAndLetGo(t *testing.T) {
	t.Parallel()
	a := &Agent{
		ctx: t.Context(), log: slog.New(slog.DiscardHandler), changed: make(chan struct{}), told: make(chan struct{}),
		state: State{Phase: Ended, Reason: "exited with code 3"},
	}
	ours, theirs := pair(t)
	if _, err := theirs.Write(appendFrame(nil, frameHello, []byte(`{"version":1,"watch":true}`))); err != nil {
		t.Fatal(err)
	}
	a.attach(ours)
	if said, err := io.ReadAll(theirs); err != nil || !bytes.Contains(said, []byte("exited with code 3")) {
		t.Errorf("the agent said %q, %v, want the end", said, err)
	}
}

func TestBoardThatCouldShrinkIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "board")
	if err := os.WriteFile(path, make([]byte, boardBytes), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, err := openBoard(f); err == nil {
		b.close()
		t.Error("a plain file is taken for a board")
	}
}

func TestBoardGivesWhatWasPostedLast(t *testing.T) {
	t.Parallel()
	b, f, err := newBoard()
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	other, err := openBoard(f)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	if got := other.posted(); len(got) > 0 {
		t.Errorf("posted() = %v of a new board", got)
	}
	for n := range MaxMarks + 1 {
		var marks []Mark
		for i := range n {
			marks = append(marks, Mark{Seq: uint64(n*1000 + i), End: uint64(i)})
		}
		b.post(marks)
		if got := other.posted(); !slices.Equal(got, marks) {
			t.Fatalf("posted() = %v, want %v", got, marks)
		}
	}
	other.close()
	other.close()
	other.post([]Mark{{1, 1}})
	if got := other.posted(); got != nil {
		t.Errorf("posted() = %v of a closed board", got)
	}
}

// FuzzBoard lets a gateway write whatever it likes to a board.
func FuzzBoard(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0}, uint64(0))
	f.Add(bytes.Repeat([]byte{0xff}, boardBytes), uint64(100))
	f.Fuzz(func(t *testing.T, content []byte, got uint64) {
		b, file, err := newBoard()
		if err != nil {
			t.Fatal(err)
		}
		_ = file.Close()
		defer b.close()
		copy(b.mem, content)
		if n := len(b.posted()); n > MaxMarks {
			t.Fatalf("%d marks", n)
		}
		p := progress{board: b, got: got}
		if after := p.conclude(nil); after < got {
			t.Fatalf("conclude() = %d, before it was %d", after, got)
		}
	})
}

func TestOldestAbsentClientIsForgottenFirst(t *testing.T) {
	t.Parallel()
	var c clients
	c.all = map[string]*client{}
	long := time.Now().Add(-time.Hour)
	for i := range maxClients {
		c.all[string(rune('a'+i))] = &client{att: &attachment{}}
	}
	c.forgetOne()
	if len(c.all) != maxClients {
		t.Error("a client that is here was forgotten")
	}
	c.all["a"], c.all["b"] = &client{left: long}, &client{left: time.Now()}
	c.forgetOne()
	if c.all["a"] != nil || c.all["b"] == nil {
		t.Error("not the oldest was forgotten")
	}
}
