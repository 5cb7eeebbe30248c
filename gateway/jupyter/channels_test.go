package jupyter_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"
	"github.com/hopyard/hopyard/kernels/wire"
)

// message is what a client got, with the kind of its frame.
type message struct {
	wire.Message
	kind   int
	typ    string
	parent string
}

// next reads one message in the framing of the websocket.
func next(t testing.TB, ws *websocket.Conn) message {
	t.Helper()
	_ = ws.SetReadDeadline(time.Now().Add(patience))
	kind, body, err := ws.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	m := message{kind: kind}
	if ws.Subprotocol() == wire.V1Protocol {
		m.Message, err = wire.ParseV1(body)
	} else {
		m.Message, err = wire.ParseDefault(body, kind == websocket.BinaryMessage)
	}
	if err != nil {
		t.Fatalf("%v: %.100q", err, body)
	}
	_, m.typ, _, _ = wire.Head(m.Header)
	m.parent, _, _, _ = wire.Head(m.Parent)
	return m
}

// send writes a message in the framing of the websocket and gives its id.
func send(t testing.TB, ws *websocket.Conn, channel, typ string, content any) string {
	t.Helper()
	id := uuid.NewString()
	text, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	m := wire.Message{Channel: channel, Header: wire.NewHeader(id, typ, "session", "ann", time.Now()), Content: text}
	body, kind := wire.AppendV1(nil, m), websocket.BinaryMessage
	if ws.Subprotocol() != wire.V1Protocol {
		body, _ = wire.AppendDefault(nil, m)
		kind = websocket.TextMessage
	}
	if err := ws.WriteMessage(kind, body); err != nil {
		t.Fatal(err)
	}
	return id
}

func sendCode(t testing.TB, ws *websocket.Conn, code string) string {
	t.Helper()
	return send(t, ws, wire.Shell, "execute_request", map[string]any{"code": code, "allow_stdin": true})
}

// run runs code and gives all that it said.
func run(t testing.TB, ws *websocket.Conn, code string) string {
	t.Helper()
	id := sendCode(t, ws, code)
	var said strings.Builder
	idle, replied := false, false
	for !idle || !replied {
		m := next(t, ws)
		if m.parent != id {
			continue
		}
		var content struct {
			Text  string            `json:"text"`
			Data  map[string]string `json:"data"`
			State string            `json:"execution_state"`
		}
		_ = json.Unmarshal(m.Content, &content)
		said.WriteString(content.Text + content.Data["text/plain"])
		idle = idle || content.State == "idle"
		replied = replied || m.typ == "execute_reply" && m.Channel == wire.Shell
	}
	return said.String()
}

func TestBothFramingsCarryMessages(t *testing.T) {
	t.Parallel()
	w := setup(t)
	path := "/api/kernels/" + w.kernel() + "/channels"
	page := "Origin: " + w.URL
	for _, c := range []struct {
		name, protocol, header string
		text, buffer           int
		buffers                int
	}{
		{"v1", wire.V1Protocol, page, websocket.BinaryMessage, websocket.BinaryMessage, 1},
		{"default, a page", "", page, websocket.TextMessage, websocket.BinaryMessage, 1},
		{"default, a script", "", "User-Agent: ", websocket.TextMessage, websocket.TextMessage, 0},
		{"an unknown protocol", "v9.unknown", page, websocket.TextMessage, websocket.BinaryMessage, 1},
	} {
		ws := w.socket(path+"?session_id="+uuid.NewString(), c.protocol, c.header)
		if c.protocol != wire.V1Protocol && ws.Subprotocol() != "" {
			t.Errorf("%s: subprotocol = %q, want none", c.name, ws.Subprotocol())
		}
		if got := run(t, ws, "echo h\u00e9llo"); got != "h\u00e9llo\n" {
			t.Errorf("%s: it said %q", c.name, got)
		}
		id := sendCode(t, ws, "buffer 70000")
		for {
			m := next(t, ws)
			if m.parent != id {
				continue
			}
			if m.typ == "display_data" {
				if m.kind != c.buffer || len(m.Buffers) != c.buffers || c.buffers > 0 && len(m.Buffers[0]) != 70000 {
					t.Errorf("%s: a buffer came in a frame of kind %d with %d buffers", c.name, m.kind, len(m.Buffers))
				}
			} else if m.kind != c.text {
				t.Errorf("%s: %s came in a frame of kind %d, want %d", c.name, m.typ, m.kind, c.text)
			}
			if m.typ == "status" && strings.Contains(string(m.Content), "idle") {
				break
			}
		}
		_ = ws.Close()
	}
}

func TestInputIsAskedOfTheOneWhoRanTheCell(t *testing.T) {
	t.Parallel()
	w := setup(t)
	path := "/api/kernels/" + w.kernel() + "/channels"
	one, two := w.socket(path, wire.V1Protocol), w.socket(path, "")
	eventually(t, "both are attached", func() bool { return w.must(200, "GET", "/api/status", nil)["connections"] == 2.0 })
	id := sendCode(t, one, "input your name?")
	for m := next(t, one); m.typ != "input_request"; m = next(t, one) {
		if m.parent == id && m.Channel == wire.Shell {
			t.Fatalf("%s before the input", m.typ)
		}
	}
	send(t, one, wire.Stdin, "input_reply", map[string]any{"value": "Ann"})
	done := func(m message) bool { return m.parent == id && strings.Contains(string(m.Content), `"idle"`) }
	heard := ""
	for m := next(t, one); !done(m); m = next(t, one) {
		heard += string(m.Content)
	}
	if !strings.Contains(heard, `Ann\n`) {
		t.Errorf("the kernel said %q, want the input", heard)
	}
	for m := next(t, two); !done(m); m = next(t, two) {
		if m.Channel != wire.IOPub {
			t.Errorf("the other client got %s on %s", m.typ, m.Channel)
		}
	}
}

func TestMessageThatIsSentTwiceRunsOnce(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ws := w.socket("/api/kernels/"+w.kernel()+"/channels?session_id=s", wire.V1Protocol)
	header := wire.NewHeader("twice", "execute_request", "s", "ann", time.Now())
	body := wire.AppendV1(nil, wire.Message{Channel: wire.Shell, Header: header, Content: []byte(`{"code":"echo once"}`)})
	for range 2 {
		if err := ws.WriteMessage(websocket.BinaryMessage, body); err != nil {
			t.Fatal(err)
		}
	}
	id, n := sendCode(t, ws, "echo end"), 0
	for m := next(t, ws); m.parent != id || m.typ != "stream"; m = next(t, ws) {
		if m.parent == "twice" && m.typ == "stream" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("it ran %d times, want once", n)
	}
}

// TestClientThatComesBackGetsWhatItMissed lets a client go and come while another one makes the kernel talk. It goes when
// nothing is on its way: nobody can know what a client still takes note of after its goodbye.
func TestClientThatComesBackGetsWhatItMissed(t *testing.T) {
	t.Parallel()
	w := setup(t)
	path := "/api/kernels/" + w.kernel() + "/channels?session_id="
	talker := w.socket(path+"talker", wire.V1Protocol)
	for _, protocol := range []string{wire.V1Protocol, ""} {
		session := path + "tab" + protocol
		ws := w.socket(session, protocol)
		run(t, ws, "echo here")
		own := map[string]bool{}
		for round := range 5 {
			_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseGoingAway, ""), time.Now().Add(patience))
			closed(t, ws)
			text := fmt.Sprint("round ", round)
			run(t, talker, "echo missed in "+text)
			ws = w.socket(session, protocol)
			id := sendCode(t, ws, "echo end of "+text)
			own[id] = true
			said := ""
			for m := next(t, ws); m.parent != id || m.typ != "stream"; m = next(t, ws) {
				if m.typ == "stream" {
					said += string(m.Content)
				}
				if m.Channel == wire.Shell && !own[m.parent] {
					t.Errorf("the reply to another came: %s", m.Content)
				}
			}
			if strings.Count(said, "missed in "+text) != 1 || strings.Count(said, "text") != 1 {
				t.Errorf("%s: got %q, want what was missed, once", text, said)
			}
			for m := next(t, ws); m.parent != id || !strings.Contains(string(m.Content), "idle"); m = next(t, ws) {
				continue
			}
		}
		_ = ws.Close()
	}
}

// TestReplacedClientThatDidNotReadLosesNothing lets a client stop reading in a flood and come back on another connection. What
// both get together is all, once, if the first is read to its end.
func TestReplacedClientThatDidNotReadLosesNothing(t *testing.T) {
	t.Parallel()
	w := setup(t)
	path := "/api/kernels/" + w.kernel() + "/channels?session_id=s"
	const n = 8000
	first := w.socket(path, wire.V1Protocol)
	if err := first.NetConn().(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	id := sendCode(t, first, fmt.Sprintf("flood %d 1000", n))
	other := w.socket("/api/kernels/"+strings.Split(path, "/")[3]+"/channels?session_id=other", wire.V1Protocol)
	for m := next(t, other); m.parent != id || !strings.Contains(string(m.Content), "idle"); m = next(t, other) {
		continue // until the flood is over, and the first one stuck
	}
	second := w.socket(path, wire.V1Protocol)
	send(t, second, wire.Shell, "kernel_info_request", map[string]any{}) // as all do that come back
	got := make([]int, n)
	count := func(m wire.Message) bool {
		var content struct {
			Text  string `json:"text"`
			State string `json:"execution_state"`
		}
		_ = json.Unmarshal(m.Content, &content)
		if i := -1; content.Text != "" {
			if _, err := fmt.Sscan(content.Text, &i); err == nil && i >= 0 && i < n {
				got[i]++
			}
		}
		parent, _, _, _ := wire.Head(m.Parent)
		return parent == id && content.State == "idle"
	}
	for !count(next(t, second).Message) {
		continue
	}
	_ = first.SetReadDeadline(time.Now().Add(patience))
	late := 0
	for {
		_, body, err := first.ReadMessage()
		if err != nil {
			break
		}
		m, err := wire.ParseV1(body)
		if err != nil {
			t.Fatalf("a frame was cut: %v", err)
		}
		count(m)
		late++
	}
	lost, doubled := 0, 0
	for _, times := range got {
		lost += max(0, 1-times)
		doubled += max(0, times-1)
	}
	t.Logf("%d messages waited for the first client", late)
	if lost > 0 || doubled > 0 {
		t.Errorf("%d lost, %d doubled", lost, doubled)
	}
}

func TestCloseCodes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end  func(w *world, id string, ws *websocket.Conn)
		want int
	}{
		"kernel deleted":  {func(w *world, id string, _ *websocket.Conn) { w.must(204, "DELETE", "/api/kernels/"+id, nil) }, websocket.CloseNormalClosure},
		"access revoked":  {func(w *world, _ string, _ *websocket.Conn) { w.revoke() }, websocket.ClosePolicyViolation},
		"gateway restart": {func(w *world, _ string, _ *websocket.Conn) { w.sockets.Drain() }, websocket.CloseServiceRestart},
		"no Jupyter message": {func(_ *world, _ string, ws *websocket.Conn) {
			_ = ws.WriteMessage(websocket.TextMessage, []byte("nonsense"))
		}, websocket.CloseUnsupportedData},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			id := w.kernel()
			ws := w.socket("/api/kernels/"+id+"/channels", "")
			run(t, ws, "echo x")
			c.end(w, id, ws)
			if code := closed(t, ws); code != c.want {
				t.Errorf("close code = %d, want %d", code, c.want)
			}
		})
	}
}

func TestFramesThatMakeNoSenseHarmNobody(t *testing.T) {
	t.Parallel()
	w := setup(t)
	path := "/api/kernels/" + w.kernel() + "/channels"
	ws := w.socket(path, wire.V1Protocol)
	for _, body := range [][]byte{
		nil, []byte("x"), make([]byte, 8), []byte("\xff\xff\xff\xff\xff\xff\xff\xff"),
		wire.AppendV1(nil, wire.Message{Channel: "iopub", Header: wire.NewHeader("a", "status", "s", "ann", time.Now())}),
		wire.AppendV1(nil, wire.Message{Channel: wire.Shell, Header: []byte(`{}`)}),
		wire.AppendV1(nil, wire.Message{Channel: wire.Shell, Header: []byte(`nonsense`)}),
	} {
		if err := ws.WriteMessage(websocket.BinaryMessage, body); err != nil {
			t.Fatal(err)
		}
	}
	if got := run(t, ws, "echo well"); got != "well\n" {
		t.Errorf("the kernel said %q", got)
	}
	if _, status, err := dial(t.Context(), w.URL, path+"?session_id="+strings.Repeat("x", 300), ""); err == nil || status != 400 {
		t.Errorf("a session id of 300 bytes = %d %v, want 400", status, err)
	}
}

func TestTerminalOverWebsocket(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.must(200, "POST", "/api/terminals", nil)
	read := func(ws *websocket.Conn, want string) string {
		t.Helper()
		_ = ws.SetReadDeadline(time.Now().Add(patience))
		var screen strings.Builder
		for !strings.Contains(screen.String(), want) {
			kind, body, err := ws.ReadMessage()
			if err != nil || kind != websocket.TextMessage {
				t.Fatalf("after %q: %d %v", screen.String(), kind, err)
			}
			var frame []any
			if err := json.Unmarshal(body, &frame); err != nil {
				t.Fatalf("frame %q: %v", body, err)
			}
			fmt.Fprint(&screen, frame...)
		}
		return screen.String()
	}
	ws := w.socket("/terminals/websocket/1", "")
	if got := read(ws, "setup"); !strings.HasPrefix(got, "setup") {
		t.Errorf("the first frame is %q, want setup", got)
	}
	if err := ws.WriteMessage(websocket.TextMessage, []byte(`["stdin","echo $((40+2))!\r"]`)); err != nil {
		t.Fatal(err)
	}
	read(ws, "42!")
	again := w.socket("/terminals/websocket/1", "")
	read(again, "42!") // the screen comes back
	if err := again.WriteMessage(websocket.TextMessage, []byte(`["stdin","exit\r"]`)); err != nil {
		t.Fatal(err)
	}
	read(ws, "disconnect")
	if code := closed(t, ws); code != websocket.CloseNormalClosure {
		t.Errorf("close code = %d, want 1000", code)
	}
}

// TestWebsocketsThatComeAndGoLeaveNothing is not parallel: it counts goroutines and files.
func TestWebsocketsThatComeAndGoLeaveNothing(t *testing.T) {
	w := setup(t)
	path := "/api/kernels/" + w.kernel() + "/channels?session_id="
	round := func() {
		for i := range 20 {
			ws := w.socket(path+fmt.Sprint(i%3), wire.V1Protocol)
			run(t, ws, "echo x")
			if i%2 == 0 {
				_ = ws.Close()
			} else {
				defer ws.Close() // it is replaced before
			}
		}
		for i := range 3 { // the last of each
			ws := w.socket(path+fmt.Sprint(i), wire.V1Protocol)
			run(t, ws, "echo x")
			_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(patience))
			_, _ = io.Copy(io.Discard, ws.NetConn())
			_ = ws.Close()
		}
		eventually(t, "all are gone", func() bool { return w.sockets.Count() == 0 })
		w.Client().CloseIdleConnections()
	}
	files := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	round()
	goroutines, open := runtime.NumGoroutine(), files()
	round()
	if !waitFor(patience, func() bool { return runtime.NumGoroutine() <= goroutines && files() <= open }) {
		t.Errorf("%d goroutines and %d files, want %d and %d as before", runtime.NumGoroutine(), files(), goroutines, open)
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
	}
}
