package jupyter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/gateway/jupyter"
	"github.com/hopyard/hopyard/gateway/jupyter/events"
	"github.com/hopyard/hopyard/gateway/jupyter/shape"
	"github.com/hopyard/hopyard/internal/local/localtest"
	"github.com/hopyard/hopyard/internal/memory"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels"
	"github.com/hopyard/hopyard/kernels/bridge"
	"github.com/hopyard/hopyard/kernels/terminal"
	"github.com/hopyard/hopyard/plugins/queue"
	"github.com/hopyard/hopyard/plugins/scheduling"
	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/hopyard/hopyard/projects"
	"github.com/hopyard/hopyard/workloads"
	"github.com/labstack/echo/v4"
)

const patience = 2 * time.Minute

// TestMain lets the test binary be the agent of its kernels, and a gateway that can be killed.
func TestMain(m *testing.M) {
	localtest.Main(m, map[string]localtest.Program{
		"agent":   localtest.Agent(map[string]agent.Factory{bridge.Kind: bridge.New, terminal.Kind: terminal.New}),
		"gateway": runGateway,
	})
}

// writeSpecs makes the folder of kernelspecs: python3, which is the test kernel, and one that dies at start.
func writeSpecs(t testing.TB) string {
	t.Helper()
	program, err := localtest.Kernel()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, argv := range map[string][]string{
		"python3": {program, "-f", "{connection_file}"},
		"dying":   {program, "-die", "No module named ipykernel", "-f", "{connection_file}"},
	} {
		folder := filepath.Join(dir, name)
		text, _ := json.Marshal(map[string]any{"argv": argv, "display_name": "Test " + name, "language": "python"})
		if err := errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(filepath.Join(folder, "kernel.json"), text, 0o600),
			os.WriteFile(filepath.Join(folder, "logo-64x64.png"), []byte("a picture"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// noEnvironment is a project without an environment: its kernels are those of the site.
type noEnvironment struct{}

func (noEnvironment) Resolve(context.Context, string) (kernels.Environment, error) {
	return kernels.Environment{}, problem.New(problem.Unavailable, "no environment")
}

func (noEnvironment) ResolveAll(context.Context, string) ([]kernels.Environment, error) {
	return nil, problem.New(problem.Unavailable, "no environment")
}

// parts are what a gateway stands on.
type parts struct {
	storage storage.Backend
	queue   queue.Queue
	driver  scheduling.Driver
	specs   string
	files   string
	log     *slog.Logger
}

// house is the Jupyter door on real kernels.
type house struct {
	runs    *workloads.Manager
	kernels *kernels.Manager
	sockets *door.Sockets
	echo    *echo.Echo
}

func open(ctx context.Context, p parts, gate door.Gate) *house {
	h := &house{sockets: door.NewSockets(), echo: echo.New()}
	h.runs = workloads.New(workloads.Config{Storage: p.storage, Queue: p.queue, Driver: p.driver, Log: p.log, Grace: 2 * time.Second})
	folder := func(names ...string) (string, error) {
		dir := filepath.Join(append([]string{p.files}, names...)...)
		return dir, os.MkdirAll(dir, 0o700)
	}
	h.kernels = kernels.New(kernels.Config{
		Workloads: h.runs, Storage: p.storage, Env: noEnvironment{}, SpecDirs: []string{p.specs}, Log: p.log, StartWait: patience,
		Root: func(project string) (string, error) { return folder(project) },
		Home: func(project, user string) (string, error) { return folder(project+"-homes", user) },
	})
	h.runs.Start()
	h.kernels.Start(ctx)
	r := door.NewRegistrar(h.echo, gate, p.log, shape.Error)
	r.Add(jupyter.New(jupyter.Config{Kernels: h.kernels, Events: events.NewBus(), Log: p.log}))
	return h
}

// base is the base of a server's requests.
func (h *house) base(net.Listener) context.Context { return h.sockets.In(context.Background()) }

// fakeGate takes the header X-User at its word.
type fakeGate struct{ valid context.Context }

func (g fakeGate) Identify(c echo.Context, project string) (*door.Caller, error) {
	user := c.Request().Header.Get("X-User")
	if user == "" {
		return nil, problem.New(problem.Unauthenticated, "who are you?")
	}
	role := projects.DataScientist
	if r := c.Request().Header.Get("X-Role"); r != "" {
		role = projects.Role(r)
	}
	return &door.Caller{User: user, Role: role, Project: project, Valid: g.valid}, nil
}

// world is a running gateway in this process.
type world struct {
	*house
	*httptest.Server
	t      testing.TB
	files  string
	driver scheduling.Driver
	revoke context.CancelFunc
}

func setup(t testing.TB) *world {
	t.Helper()
	p := parts{
		storage: memory.NewStorage(), queue: memory.NewQueue(), driver: localtest.Driver(t), specs: writeSpecs(t), files: t.TempDir(),
		log: slog.New(slog.DiscardHandler),
	}
	valid, revoke := context.WithCancel(context.Background())
	w := &world{house: open(t.Context(), p, fakeGate{valid}), t: t, files: p.files, driver: p.driver, revoke: revoke}
	w.Server = httptest.NewUnstartedServer(w.echo)
	w.Config.BaseContext = w.base
	w.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := w.runs.StopAll(ctx, "", func(workloads.Info) {}); err != nil {
			t.Error(err)
		}
		w.Server.CloseClientConnections()
		w.Server.Close()
		_ = w.runs.Close()
	})
	return w
}

// ask makes a request as ann and decodes the answer.
func (w *world) ask(method, path string, body any, headers ...string) (status int, answer any, header http.Header) {
	w.t.Helper()
	var in io.Reader
	if text, ok := body.(string); ok {
		in = strings.NewReader(text)
	} else if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			w.t.Fatal(err)
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.URL+"/p/demo/jupyter"+path, in)
	if err != nil {
		w.t.Fatal(err)
	}
	setHeaders(req.Header, append([]string{"X-User: ann"}, headers...))
	resp, err := w.Client().Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(text) > 0 && json.Unmarshal(text, &answer) != nil {
		answer = string(text)
	}
	return resp.StatusCode, answer, resp.Header
}

// must makes a request that is answered with an object and that status.
func (w *world) must(status int, method, path string, body any, headers ...string) map[string]any {
	w.t.Helper()
	got, answer, _ := w.ask(method, path, body, headers...)
	if got != status {
		w.t.Fatalf("%s %s = %d %v, want %d", method, path, got, answer, status)
	}
	object, _ := answer.(map[string]any)
	return object
}

func setHeaders(h http.Header, lines []string) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Set(name, value)
	}
}

// kernel starts a kernel and gives its id.
func (w *world) kernel() string {
	w.t.Helper()
	return w.must(http.StatusCreated, "POST", "/api/kernels", nil)["id"].(string)
}

// socket opens a websocket below the door's base.
func (w *world) socket(path, protocol string, headers ...string) *websocket.Conn {
	w.t.Helper()
	ws, status, err := dial(w.t.Context(), w.URL, path, protocol, headers...)
	if err != nil {
		w.t.Fatalf("open %s: %d %v", path, status, err)
	}
	w.t.Cleanup(func() { _ = ws.Close() })
	return ws
}

func dial(ctx context.Context, server, path, protocol string, headers ...string) (*websocket.Conn, int, error) {
	h := http.Header{}
	setHeaders(h, append([]string{"X-User: ann"}, headers...))
	dialer := websocket.Dialer{HandshakeTimeout: patience}
	if protocol != "" {
		dialer.Subprotocols = []string{protocol}
	}
	ws, resp, err := dialer.DialContext(ctx, strings.Replace(server, "http", "ws", 1)+"/p/demo/jupyter"+path, h)
	if err != nil {
		status := 0
		if resp != nil {
			status = resp.StatusCode
			_ = resp.Body.Close()
		}
		return nil, status, fmt.Errorf("dial: %w", err)
	}
	return ws, http.StatusSwitchingProtocols, nil
}

// closed reads until the server ends the websocket, and gives the close code.
func closed(t testing.TB, ws *websocket.Conn) int {
	t.Helper()
	if err := ws.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for {
		if _, _, err := ws.ReadMessage(); err != nil {
			if ce, ok := errors.AsType[*websocket.CloseError](err); ok {
				return ce.Code
			}
			t.Errorf("websocket ended with %v", err)
			return 0
		}
	}
}
