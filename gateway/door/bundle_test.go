package door_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/projects"
	"github.com/labstack/echo/v4"
)

// fakeGate knows callers by the header X-Role, and where they come from by X-Token.
type fakeGate struct {
	valid  context.Context
	revoke context.CancelFunc
}

func (g *fakeGate) Identify(c echo.Context, project string) (*door.Caller, error) {
	role := projects.Role(c.Request().Header.Get("X-Role"))
	if role == "" {
		return nil, problem.New(problem.Unauthenticated, "who are you?")
	}
	if project == "none" {
		return nil, problem.New(problem.NotFound, "no such project")
	}
	return &door.Caller{
		User: "ann", Role: role, Project: project, Valid: g.valid,
		Token: c.Request().Header.Get("X-Token") != "",
	}, nil
}

// world is a server with the doors of a test.
type world struct {
	*httptest.Server
	gate    *fakeGate
	sockets *door.Sockets
	log     *lockedBuffer
}

// lockedBuffer is what was logged.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func serve(t testing.TB, doors ...door.Door) *world {
	t.Helper()
	w := &world{gate: &fakeGate{}, sockets: door.NewSockets(), log: &lockedBuffer{}}
	w.gate.valid, w.gate.revoke = context.WithCancel(t.Context())
	e := echo.New()
	r := door.NewRegistrar(e, w.gate, slog.New(slog.NewTextHandler(w.log, nil)), writeError("site"))
	for _, d := range doors {
		r.Add(d)
	}
	w.Server = httptest.NewUnstartedServer(e)
	w.Config.BaseContext = func(net.Listener) context.Context { return w.sockets.In(context.Background()) }
	w.Start()
	t.Cleanup(w.Close)
	return w
}

// writeError is an error shape that names its door.
func writeError(name string) func(echo.Context, error, string) error {
	return func(c echo.Context, err error, id string) error {
		status := map[problem.Code]int{
			problem.Unauthenticated: 401, problem.Denied: 403, problem.NotFound: 404, problem.Invalid: 400, problem.Internal: 500,
		}[problem.CodeOf(err)]
		if he, ok := errors.AsType[*echo.HTTPError](err); ok {
			status = he.Code
		}
		text := "something went wrong"
		if status < 500 {
			text = err.Error()
		}
		return c.String(status, name+": "+text+" "+id)
	}
}

// jar is a door of a project with one route of each kind.
func jar() door.Door {
	ok := func(c echo.Context) error { return c.String(http.StatusOK, "ok") }
	return door.Door{
		Name: "jar", Base: "/p/:project/jar", Error: writeError("jar"), Foreign: problem.NotFound,
		Login: func(c echo.Context) error { return c.Redirect(http.StatusFound, "/login") },
		Routes: []door.Route{
			{Method: http.MethodGet, Path: "/page", Handle: ok, Page: true, Resource: projects.ResServer, Action: projects.ActRead},
			{Method: http.MethodGet, Path: "/file", Handle: ok, Resource: projects.ResContents, Action: projects.ActRead},
			{Method: http.MethodPost, Path: "/file", Handle: ok, Resource: projects.ResContents, Action: projects.ActWrite},
			{Method: http.MethodGet, Path: "/members", Handle: ok, Resource: projects.ResMembers, Action: projects.ActRead},
			{Method: http.MethodGet, Path: "/open", Handle: ok, Public: "a test"},
			{Method: http.MethodPost, Path: "/open", Handle: ok, Public: "a test"},
			{Method: http.MethodGet, Path: "/panic", Handle: func(echo.Context) error { panic("oh no") }, Public: "a test"},
			{Method: http.MethodGet, Path: "/fault", Handle: func(echo.Context) error { return errors.New("secret detail") }, Public: "a test"},
			{Method: http.MethodGet, Path: "/ws", Handle: echoSocket, Resource: projects.ResKernels, Action: projects.ActExecute},
		},
	}
}

// echoSocket answers every message with itself.
func echoSocket(c echo.Context) error {
	ws, err := door.Upgrade(c, door.UpgradeOptions{Subprotocols: []string{"v1.test", "v0.test"}, MaxMessage: 1 << 16})
	if err != nil {
		return err
	}
	defer func() { _ = ws.Close() }()
	for {
		kind, message, err := ws.ReadMessage()
		if err != nil {
			return nil
		}
		if err := ws.WriteMessage(kind, message); err != nil {
			return nil
		}
	}
}

// ask makes a request; headers are "Name: value".
func (w *world) ask(t testing.TB, method, path string, headers ...string) (status int, body string, h http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	setHeaders(req.Header, headers)
	resp, err := w.Client().Transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

func setHeaders(h http.Header, lines []string) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Set(name, value)
	}
}

// dial opens a websocket. A refusal gives its status.
func (w *world) dial(t testing.TB, headers ...string) (ws *websocket.Conn, status int) {
	t.Helper()
	h := http.Header{}
	setHeaders(h, headers)
	dialer := websocket.Dialer{Subprotocols: []string{"v9.test", "v0.test"}}
	ws, resp, err := dialer.DialContext(t.Context(), strings.Replace(w.URL, "http", "ws", 1)+"/p/demo/jar/ws", h)
	if err != nil {
		if resp == nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return nil, resp.StatusCode
	}
	t.Cleanup(func() { _ = ws.Close() })
	return ws, http.StatusSwitchingProtocols
}

// patience is how long a test waits for what should come at once: machines are busy.
const patience = 2 * time.Minute

// wantClose reads until the server closes with that code.
func wantClose(t testing.TB, ws *websocket.Conn, code int) {
	t.Helper()
	if err := ws.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for {
		if _, _, err := ws.ReadMessage(); err != nil {
			if !websocket.IsCloseError(err, code) {
				t.Errorf("websocket ended with %v, want close code %d", err, code)
			}
			return
		}
	}
}
