//go:build e2e

package badday_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"
)

// tab is a client on a kernel's websocket, in the framing without subprotocol.
type tab struct {
	t       *testing.T
	g       *gateway
	kernel  string
	session string
	ws      *websocket.Conn
}

// message is what a kernel says, as far as the tests look at it.
type message struct {
	Channel string `json:"channel"`
	Header  struct {
		ID   string `json:"msg_id"`
		Type string `json:"msg_type"`
	} `json:"header"`
	Parent struct {
		ID string `json:"msg_id"`
	} `json:"parent_header"`
	Content struct {
		Text   string            `json:"text"`
		State  string            `json:"execution_state"`
		Status string            `json:"status"`
		Value  string            `json:"evalue"`
		Prompt string            `json:"prompt"`
		Data   map[string]string `json:"data"`
	} `json:"content"`
}

// open opens a tab with a session of its own.
func (g *gateway) open(t *testing.T, kernel string) *tab {
	t.Helper()
	b := &tab{t: t, g: g, kernel: kernel, session: uuid.NewString()}
	if err := b.connect(g.token); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.ws.Close() })
	return b
}

// connect opens the websocket, again under the same session.
func (b *tab) connect(token string) error {
	address := strings.Replace(b.g.url, "http", "ws", 1) + jupyter + "/api/kernels/" + b.kernel + "/channels?session_id=" + b.session
	ws, res, err := websocket.DefaultDialer.DialContext(b.t.Context(), address, http.Header{"Authorization": {"token " + token}})
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	b.ws = ws
	return nil
}

// comeBack connects again as Lab does: until it works.
func (b *tab) comeBack() {
	eventually(b.t, "the gateway answers again", func() bool { return b.connect(b.g.token) == nil })
}

func (b *tab) send(kind, channel string, content map[string]any, parent any) string {
	b.t.Helper()
	id := uuid.NewString()
	if parent == nil {
		parent = map[string]any{}
	}
	err := b.ws.WriteJSON(map[string]any{
		"channel": channel, "parent_header": parent, "metadata": map[string]any{}, "content": content, "buffers": []any{},
		"header": map[string]any{
			"msg_id": id, "msg_type": kind, "username": "x", "session": b.session, "version": "5.3",
			"date": time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"),
		},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

// execute sends a cell and returns its id.
func (b *tab) execute(code string) string {
	b.t.Helper()
	return b.send("execute_request", "shell", map[string]any{
		"code": code, "silent": false, "store_history": true, "user_expressions": map[string]any{}, "allow_stdin": true,
	}, nil)
}

func (b *tab) read() (m message, err error) {
	_ = b.ws.SetReadDeadline(time.Now().Add(patience))
	return m, b.ws.ReadJSON(&m)
}

// next reads the next message that fits.
func (b *tab) next(what string, fits func(message) bool) message {
	b.t.Helper()
	for {
		m, err := b.read()
		if err != nil {
			b.t.Fatalf("waiting for %s: %v", what, err)
		}
		if fits(m) {
			return m
		}
	}
}

// result runs a cell and gives its result or what it printed.
func (b *tab) result(code string) string {
	b.t.Helper()
	id, out := b.execute(code), ""
	b.next("the end of "+code, func(m message) bool {
		if m.Parent.ID == id {
			out += m.Content.Text + m.Content.Data["text/plain"]
		}
		return m.Parent.ID == id && m.Header.Type == "status" && m.Content.State == "idle"
	})
	return strings.TrimSpace(out)
}

// pid is the number of the test kernel's process.
func (b *tab) pid() int {
	b.t.Helper()
	pid, err := strconv.Atoi(b.result("pid"))
	if err != nil {
		b.t.Fatal(err)
	}
	return pid
}

// numbers gives "0\n1\n…" up to n.
func numbers(n int) string {
	var all strings.Builder
	for i := range n {
		fmt.Fprintln(&all, i)
	}
	return all.String()
}
