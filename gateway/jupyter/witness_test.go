package jupyter_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/internal/local"
	"github.com/hopyard/hopyard/internal/local/localtest"
	"github.com/hopyard/hopyard/internal/sqlite"
	"github.com/hopyard/hopyard/kernels/wire"
	"github.com/hopyard/hopyard/workloads"
)

// runGateway is the program "gateway": it serves the listener of file 3 until it is killed, or drains it at SIGTERM.
func runGateway(args []string) int {
	data, specs, agentCommand := args[0], args[1], args[2:]
	ctx := context.Background()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	db, err := sqlite.Open(ctx, filepath.Join(data, "db"), log)
	if err != nil {
		log.Error("open", "error", err)
		return 1
	}
	driver, err := local.New(local.Config{Run: filepath.Join(data, "run"), Agent: agentCommand})
	if err != nil {
		log.Error("open", "error", err)
		return 1
	}
	l, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		log.Error("listen", "error", err)
		return 1
	}
	h := open(ctx, parts{
		storage: db.Storage(), queue: db.Queue(), driver: driver, specs: specs, files: filepath.Join(data, "files"), log: log,
	}, fakeGate{ctx})
	server := http.Server{Handler: h.echo, BaseContext: h.base, ReadHeaderTimeout: patience}
	term, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(term, func() { _ = l.Close() })
	if err := server.Serve(l); term.Err() == nil {
		log.Error("serve", "error", err)
		return 1
	}
	h.sockets.Drain()
	return 0
}

// mortal is a gateway in another process, which is killed and started again while its address stays: connections that come
// in between wait.
type mortal struct {
	t        *testing.T
	listener *os.File
	urls     []string
	args     []string
	cmd      *exec.Cmd
	data     string
}

func newMortal(t *testing.T) *mortal {
	t.Helper()
	// One listener for both families, where there are two.
	l, err := net.Listen("tcp", "[::]:0")
	hosts := []string{"127.0.0.1", "[::1]"}
	if err != nil {
		hosts = hosts[:1]
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	data := localtest.RunDir(t)
	m := &mortal{t: t, listener: f, data: data}
	config := localtest.Config(t, filepath.Join(data, "run"))
	m.args = append([]string{"gateway", data, writeSpecs(t)}, config.Agent...)
	for _, host := range hosts {
		m.urls = append(m.urls, "http://"+host+":"+strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
	_ = l.Close()
	m.start()
	t.Cleanup(func() {
		m.kill()
		_ = f.Close()
		m.sweep(config)
	})
	return m
}

func (m *mortal) start() {
	m.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		m.t.Fatal(err)
	}
	m.cmd = exec.Command(exe, m.args...)
	m.cmd.ExtraFiles = []*os.File{m.listener}
	m.cmd.Stderr = os.Stderr
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
}

func (m *mortal) kill() { m.end(syscall.SIGKILL) }

func (m *mortal) end(sig os.Signal) {
	_ = m.cmd.Process.Signal(sig)
	_ = m.cmd.Wait()
}

// sweep ends what the gateways have left, as another one would.
func (m *mortal) sweep(config local.Config) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	db, err := sqlite.Open(ctx, filepath.Join(m.data, "db"), slog.New(slog.DiscardHandler))
	if err != nil {
		m.t.Error(err)
		return
	}
	defer db.Close()
	driver, err := local.New(config)
	if err != nil {
		m.t.Error(err)
		return
	}
	runs := workloads.New(workloads.Config{Storage: db.Storage(), Queue: db.Queue(), Driver: driver, Log: slog.New(slog.DiscardHandler)})
	runs.Start()
	defer runs.Close()
	if err := runs.StopAll(ctx, "", func(workloads.Info) {}); err != nil {
		m.t.Error(err)
	}
	if left := localtest.Left(m.t, config.Run); len(left) > 0 {
		m.t.Errorf("left in the run folder: %s", left)
	}
}

// request asks the gateway and gives the JSON that it answers.
func (m *mortal) request(method, path string) map[string]any {
	m.t.Helper()
	req, err := http.NewRequestWithContext(m.t.Context(), method, m.urls[0]+"/p/demo/jupyter"+path, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	req.Header.Set("X-User", "ann")
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		m.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		m.t.Fatal(err)
	}
	return answer
}

// reader is a client that comes back with its session whenever its connection ends, and counts what it gets.
type reader struct {
	name     string
	server   string
	path     string
	protocol string
	headers  []string
	buffer   int           // of its socket
	pause    time.Duration // between two messages
	hurry    chan struct{} // closed when it is to read fast
	all      *atomic.Int64 // messages that all readers have got

	flood, next int // what comes next: message next of that flood
	opened      int
}

const floodSize = 400

// read reads until that many floods have come.
func (r *reader) read(ctx context.Context, floods int) error {
	for r.flood < floods {
		if ctx.Err() != nil {
			return fmt.Errorf("%s stopped at message %d of flood %d: %w", r.name, r.next, r.flood, context.Cause(ctx))
		}
		if err := r.readOne(ctx, floods); err != nil {
			return err
		}
	}
	return nil
}

// readOne reads one connection to its end.
func (r *reader) readOne(ctx context.Context, floods int) error {
	d := net.Dialer{}
	dialer := websocket.Dialer{HandshakeTimeout: patience, NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := d.DialContext(ctx, network, addr)
		if err == nil && r.buffer > 0 {
			err = c.(*net.TCPConn).SetReadBuffer(r.buffer)
		}
		return c, err
	}}
	if r.protocol != "" {
		dialer.Subprotocols = []string{r.protocol}
	}
	h := http.Header{}
	setHeaders(h, append([]string{"X-User: ann"}, r.headers...))
	ws, resp, err := dialer.DialContext(ctx, strings.Replace(r.server, "http", "ws", 1)+r.path+"?session_id="+r.name, h)
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			return fmt.Errorf("%s is answered %d", r.name, resp.StatusCode)
		}
		return nil // killed meanwhile
	}
	defer ws.Close()
	defer context.AfterFunc(ctx, func() { _ = ws.Close() })()
	r.opened++
	for r.flood < floods {
		_, body, err := ws.ReadMessage()
		if err != nil {
			return nil
		}
		if err := r.take(body); err != nil {
			return err
		}
		if r.pause > 0 {
			select {
			case <-time.After(r.pause):
			case <-r.hurry:
				r.pause = 0
			}
		}
	}
	return nil
}

// take looks whether a message is the one that must come next.
func (r *reader) take(body []byte) error {
	var m wire.Message
	var err error
	if r.protocol == "" {
		m, err = wire.ParseDefault(body, false)
	} else {
		m, err = wire.ParseV1(body)
	}
	if err != nil {
		return fmt.Errorf("%s got what is no message: %w: %.100q", r.name, err, body)
	}
	parent, _, _, err := wire.Head(m.Parent)
	if err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	flood, ok := strings.CutPrefix(parent, "flood-")
	if !ok {
		return nil
	}
	var content struct {
		Text  string `json:"text"`
		State string `json:"execution_state"`
	}
	if err := json.Unmarshal(m.Content, &content); err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	switch {
	case wire.IsType(m.Header, "stream"):
		got, want := flood+"/"+strings.TrimSpace(content.Text), fmt.Sprintf("%d/%d", r.flood, r.next)
		if got != want {
			return fmt.Errorf("%s got message %s, want %s, on its connection %d", r.name, got, want, r.opened)
		}
		r.next++
		r.all.Add(1)
	case content.State == "idle":
		if r.next != floodSize || flood != strconv.Itoa(r.flood) {
			return fmt.Errorf("%s got the end of flood %s, want message %d/%d, on its connection %d", r.name, flood, r.flood, r.next, r.opened)
		}
		r.flood, r.next = r.flood+1, 0
	}
	return nil
}

// TestNothingIsLostOrDoubledWhenTheGatewayIsKilled kills the gateway again and again, or sometimes asks it to go, while a
// kernel floods, and lets clients of all sorts come back. HOPYARD_TEST_KILLS says how often.
func TestNothingIsLostOrDoubledWhenTheGatewayIsKilled(t *testing.T) {
	kills := 15
	if n, err := strconv.Atoi(os.Getenv("HOPYARD_TEST_KILLS")); err == nil {
		kills = n
	}
	m := newMortal(t)
	id, _ := m.request("POST", "/api/kernels")["id"].(string)
	hurry := make(chan struct{})
	path := "/p/demo/jupyter/api/kernels/" + id + "/channels"
	last := m.urls[len(m.urls)-1]
	readers := []*reader{
		{name: "fast", server: m.urls[0], protocol: wire.V1Protocol},
		{name: "fast-text-ipv6", server: last},
		{name: "slow", server: m.urls[0], protocol: wire.V1Protocol, buffer: 64 << 10, pause: 100 * time.Microsecond},
		{name: "slow-text", server: m.urls[0], buffer: 64 << 10, pause: time.Millisecond},
		{name: "page", server: last, headers: []string{"Origin: " + last}},
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var all atomic.Int64
	var reading sync.WaitGroup
	for _, r := range readers {
		r.path, r.hurry, r.all = path, hurry, &all
		reading.Go(func() {
			if err := r.read(ctx, kills); err != nil {
				t.Error(err)
				cancel(err)
			}
		})
	}
	eventually(t, "all have attached", func() bool {
		return m.request("GET", "/api/kernels/"+id)["connections"] == float64(len(readers))
	})
	kernel, err := agent.Dial(ctx, filepath.Join(m.data, "run", id, agent.SocketFile), agent.Hello{Client: "flooder"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer kernel.Close()
	for n := range kills {
		if ctx.Err() != nil {
			break
		}
		if err := kernel.Input(execute(fmt.Sprintf("flood-%d", n), "flooder", fmt.Sprintf("flood %d %d", floodSize, 1+rand.IntN(1000)))); err != nil {
			t.Fatal(err)
		}
		ready(ctx, m.urls[0])
		// A random moment: when so much has come.
		moment := all.Load() + rand.Int64N(floodSize*int64(len(readers)))
		waitFor(time.Second, func() bool { return all.Load() >= moment })
		if rand.IntN(4) == 0 {
			m.end(syscall.SIGTERM)
		} else {
			m.kill()
		}
		m.start()
	}
	close(hurry)
	stop := time.AfterFunc(patience+time.Duration(kills)*100*time.Millisecond, func() { cancel(fmt.Errorf("out of patience")) })
	defer stop.Stop()
	reading.Wait()
	for _, r := range readers {
		t.Logf("%s: %d floods over %d connections", r.name, r.flood, r.opened)
	}
}

// ready returns when the gateway answers.
func ready(ctx context.Context, url string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/p/demo/jupyter/api", nil)
	if err != nil {
		return
	}
	req.Close = true
	if resp, err := http.DefaultClient.Do(req); err == nil {
		_ = resp.Body.Close()
	}
}

// execute is an execute_request in v1 framing.
func execute(id, session, code string) []byte {
	content, _ := json.Marshal(map[string]any{
		"code": code, "silent": false, "store_history": true, "user_expressions": map[string]any{}, "allow_stdin": true, "stop_on_error": true,
	})
	return wire.AppendV1(nil, wire.Message{
		Channel: wire.Shell, Header: wire.NewHeader(id, "execute_request", session, "ann", time.Now()), Content: content,
	})
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	if !waitFor(patience, holds) {
		t.Fatalf("not within %s: %s", patience, what)
	}
}

// waitFor looks until something holds, or the time is over.
func waitFor(limit time.Duration, holds func() bool) bool {
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(limit); !holds(); <-look.C {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}
