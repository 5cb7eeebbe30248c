package door_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/hopyard/hopyard/gateway/door"
	"github.com/labstack/echo/v4"
)

func TestWebsocketsAreOpenedForOurPagesAndTokensAlone(t *testing.T) {
	t.Parallel()
	w := serve(t, jar())
	for _, want := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"nobody", nil, 401},
		{"a program", []string{"X-Role: data_owner"}, 101},
		{"our page", []string{"X-Role: data_owner", "Origin: " + w.URL}, 101},
		{"another origin", []string{"X-Role: data_owner", "Origin: http://evil.example"}, 403},
		{"an origin that begins like ours", []string{"X-Role: data_owner", "Origin: " + w.URL + ".evil.example"}, 403},
		{"another port", []string{"X-Role: data_owner", "Origin: http://127.0.0.1:1"}, 403},
		{"a sandbox", []string{"X-Role: data_owner", "Origin: null"}, 403},
		{"another origin with a token", []string{"X-Role: data_owner", "Origin: http://evil.example", "X-Token: yes"}, 101},
		{"a role without the right", []string{"X-Role: site_user"}, 403},
		{"a steward", []string{"X-Role: steward"}, 404},
	} {
		t.Run(want.name, func(t *testing.T) {
			t.Parallel()
			if _, status := w.dial(t, want.headers...); status != want.status {
				t.Errorf("status = %d, want %d", status, want.status)
			}
		})
	}
}

func TestWebsocketSpeaksACommonSubprotocol(t *testing.T) {
	t.Parallel()
	w := serve(t, jar())
	ws, _ := w.dial(t, "X-Role: data_owner")
	if ws.Subprotocol() != "v0.test" {
		t.Errorf("subprotocol = %q, want v0.test", ws.Subprotocol())
	}
	if err := ws.WriteMessage(websocket.TextMessage, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, message, err := ws.ReadMessage(); err != nil || string(message) != "hello" {
		t.Errorf("echo = %q, %v", message, err)
	}
}

func TestPlainRequestToAWebsocketIsInvalid(t *testing.T) {
	t.Parallel()
	w := serve(t, jar())
	if status, body, _ := w.ask(t, "GET", "/p/demo/jar/ws", "X-Role: data_owner"); status != 400 {
		t.Errorf("status = %d %q, want 400", status, body)
	}
}

func TestMessageOverTheLimitEndsTheWebsocket(t *testing.T) {
	t.Parallel()
	w := serve(t, jar())
	ws, _ := w.dial(t, "X-Role: data_owner")
	if err := ws.WriteMessage(websocket.BinaryMessage, make([]byte, 1<<16+1)); err != nil {
		t.Fatal(err)
	}
	wantClose(t, ws, websocket.CloseMessageTooBig)
}

func TestRevocationClosesWebsockets(t *testing.T) {
	t.Parallel()
	w := serve(t, jar())
	ws, _ := w.dial(t, "X-Role: data_owner")
	w.gate.revoke()
	wantClose(t, ws, websocket.ClosePolicyViolation)
	wantCount(t, w, 0)
}

// TestRevocationClosesWebsocketsThatNeverRead fills the way to a client until nothing more can be written.
func TestRevocationClosesWebsocketsThatNeverRead(t *testing.T) {
	t.Parallel()
	w := serve(t, jar())
	ws, _ := w.dial(t, "X-Role: data_owner")
	message := make([]byte, 1<<15)
	for {
		if err := ws.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if err := ws.WriteMessage(websocket.BinaryMessage, message); err != nil {
			break // the echo is stuck, and so are we
		}
	}
	w.gate.revoke()
	wantCount(t, w, 0)
}

func TestDrainTellsWebsocketsToComeBack(t *testing.T) {
	t.Parallel()
	w := serve(t, jar())
	var open []*websocket.Conn
	for range 20 {
		ws, _ := w.dial(t, "X-Role: data_owner")
		open = append(open, ws)
	}
	wantCount(t, w, 20)
	w.sockets.Drain()
	for _, ws := range open {
		wantClose(t, ws, websocket.CloseServiceRestart)
	}
	late, _ := w.dial(t, "X-Role: data_owner")
	wantClose(t, late, websocket.CloseServiceRestart)
	w.sockets.Drain() // twice is harmless
}

// socketDoor is a door whose websocket a test handles itself.
func socketDoor(handle func(ws *websocket.Conn, b *door.Batch) error) door.Door {
	d := jar()
	d.Routes = slices.Clone(d.Routes)
	d.Routes[len(d.Routes)-1].Handle = func(c echo.Context) error {
		ws, err := door.Upgrade(c, door.UpgradeOptions{})
		if err != nil {
			return err
		}
		defer ws.Close()
		b, _ := door.BatchOf(ws)
		return handle(ws, b)
	}
	return d
}

// TestReasonThatIsLeftToWhoWritesIsSaidBeforeTheEnd closes a websocket while another goroutine is about to write to it.
func TestReasonThatIsLeftToWhoWritesIsSaidBeforeTheEnd(t *testing.T) {
	t.Parallel()
	d := socketDoor(func(ws *websocket.Conn, b *door.Batch) error {
		closed := make(chan struct{})
		b.Begin()
		err := ws.WriteMessage(websocket.TextMessage, []byte("last words"))
		err = errors.Join(err, b.Flush(patience, func() error {
			go func() {
				defer close(closed)
				_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseUnsupportedData, ""), time.Now().Add(patience))
				b.Settle()
				_ = ws.Close()
			}()
			select {
			case <-closed:
			case <-time.After(100 * time.Millisecond): // it waits for us, as it should
			}
			return nil
		}))
		<-closed
		return err
	})
	ws, _ := serve(t, d).dial(t, "X-Role: data_owner")
	if _, text, err := ws.ReadMessage(); err != nil || string(text) != "last words" {
		t.Errorf("the client reads %q, %v", text, err)
	}
	wantClose(t, ws, websocket.CloseUnsupportedData)
}

// TestCloseThatWasHeldUpIsStillSaid writes a close frame whose time was over before the machine got to it.
func TestCloseThatWasHeldUpIsStillSaid(t *testing.T) {
	t.Parallel()
	late := socketDoor(func(_ *websocket.Conn, b *door.Batch) error {
		reason := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
		if err := b.SetWriteDeadline(time.Now().Add(-time.Hour)); err != nil {
			return err
		}
		_, err := b.Write(append([]byte{0x80 | websocket.CloseMessage, byte(len(reason))}, reason...))
		return err
	})
	ws, _ := serve(t, late).dial(t, "X-Role: data_owner")
	wantClose(t, ws, websocket.CloseNormalClosure)
}

func TestClosedWebsocketIsForgotten(t *testing.T) {
	t.Parallel()
	w := serve(t, jar())
	ws, _ := w.dial(t, "X-Role: data_owner")
	wantCount(t, w, 1)
	_ = ws.Close()
	wantCount(t, w, 0)
}

func wantCount(t *testing.T, w *world, n int) {
	t.Helper()
	for deadline := time.Now().Add(patience); w.sockets.Count() != n; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d websockets are open, want %d", w.sockets.Count(), n)
		}
	}
}

// TestIdleWebsocketIsSmall opens many websockets with bare connections and looks at what the process has grown by.
func TestIdleWebsocketIsSmall(t *testing.T) {
	w := serve(t, jar())
	const n = 400
	open := func() net.Conn {
		conn, err := net.Dial("tcp", w.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_, err = fmt.Fprintf(conn, "GET /p/demo/jar/ws HTTP/1.1\r\nHost: x\r\nX-Role: data_owner\r\nConnection: Upgrade\r\n"+
			"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		if err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.Contains(line, fmt.Sprint(http.StatusSwitchingProtocols)) {
			t.Fatalf("answer = %q, %v", line, err)
		}
		return conn
	}
	open()
	before := inUse()
	for range n {
		open()
	}
	each := (inUse() - before) / n
	t.Logf("an idle websocket takes %d bytes", each)
	if each > 40_000 {
		t.Errorf("an idle websocket takes %d bytes, want at most 40,000", each)
	}
}

func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
