package gateway_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/hopyard/hopyard/gateway"
	"github.com/hopyard/hopyard/gateway/auth"
	"github.com/hopyard/hopyard/gateway/console"
	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/internal/memory"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/projects"
	"github.com/hopyard/hopyard/workloads"
	"github.com/labstack/echo/v4"
)

// site is a whole gateway on a socket of its own. In project demo olga is data owner and sam data scientist; eve has an
// account, and admin is the administrator.
type site struct {
	server *gateway.Server
	people *projects.Service
	url    string
	log    *lockedBuffer
	served chan error
	block  chan struct{} // holds requests for /p/:project/test/slow until it is closed
}

func open(t *testing.T) *site {
	t.Helper()
	s := &site{log: &lockedBuffer{}, served: make(chan error, 1), block: make(chan struct{})}
	s.people = projects.Open(memory.NewStorage(), projects.Options{})
	t.Cleanup(func() { _ = s.people.Close() })
	s.populate(t)
	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	api := console.New(console.Config{People: s.people, Workloads: nothingRuns{}, Version: "1", Log: log})
	t.Cleanup(func() { _ = api.Close() })
	s.server = gateway.New(gateway.Config{
		Doors:   []door.Door{api.Door(), s.door()},
		Auth:    auth.New(s.people),
		Console: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "console "+r.URL.Path) }),
		Log:     log,
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.url = "http://" + l.Addr().String()
	go func() { s.served <- s.server.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.server.Shutdown(ctx)
	})
	return s
}

func (s *site) populate(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	if _, err := s.people.EnsureAdmin(ctx); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"olga", "sam", "eve"} {
		if _, err := s.people.CreateUser(ctx, projects.By{}, projects.NewUser{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.people.CreateProject(ctx, projects.By{}, "demo", "", "olga"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.people.SetMember(ctx, projects.By{}, "demo", "sam", projects.DataScientist); err != nil {
		t.Fatal(err)
	}
}

// door is a project's door with a websocket and a slow request.
func (s *site) door() door.Door {
	route := func(path string, handle echo.HandlerFunc) door.Route {
		return door.Route{Method: http.MethodGet, Path: path, Handle: handle, Resource: projects.ResKernels, Action: projects.ActExecute}
	}
	return door.Door{
		Name: "test", Base: "/p/:project/test", Error: console.Error, Login: auth.ToLogin,
		Routes: []door.Route{
			route("/fault", func(c echo.Context) error { return io.ErrUnexpectedEOF }),
			route("/slow", func(c echo.Context) error {
				select {
				case <-s.block:
				case <-c.Request().Context().Done():
				}
				return c.String(http.StatusOK, "done")
			}),
			route("/ws", func(c echo.Context) error {
				ws, err := door.Upgrade(c, door.UpgradeOptions{})
				if err != nil {
					return err
				}
				defer func() { _ = ws.Close() }()
				for {
					if _, _, err := ws.ReadMessage(); err != nil {
						return nil
					}
				}
			}),
		},
	}
}

func (s *site) token(t *testing.T, user, project string) (id, secret string) {
	t.Helper()
	token, secret, err := s.people.CreateToken(t.Context(), projects.By{}, projects.NewToken{User: user, Project: project})
	if err != nil {
		t.Fatal(err)
	}
	return token.ID, secret
}

// ask makes a request; headers are "Name: value".
func (s *site) ask(t *testing.T, method, path string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func (s *site) dial(t *testing.T, secret string) *websocket.Conn {
	t.Helper()
	url := strings.Replace(s.url, "http", "ws", 1) + "/p/demo/test/ws?token=" + secret
	ws, resp, err := websocket.DefaultDialer.DialContext(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	t.Cleanup(func() { _ = ws.Close() })
	return ws
}

// patience is how long a test waits for what should come at once: machines are busy.
const patience = 2 * time.Minute

// wantClose waits until the server ends the websocket with that code.
func wantClose(t *testing.T, ws *websocket.Conn, code int) {
	t.Helper()
	_ = ws.SetReadDeadline(time.Now().Add(patience))
	if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, code) {
		t.Errorf("websocket ended with %v, want close code %d", err, code)
	}
}

// nothingRuns is a site where nothing runs.
type nothingRuns struct{}

func (nothingRuns) List(context.Context, string) ([]workloads.Info, error) { return nil, nil }

func (nothingRuns) Get(_ context.Context, _, id string) (workloads.Info, error) {
	return workloads.Info{}, problem.New(problem.NotFound, "there is no workload %q", id)
}

func (n nothingRuns) Stop(ctx context.Context, project, id, _ string) error {
	_, err := n.Get(ctx, project, id)
	return err
}

func (nothingRuns) Subscribe(context.Context) <-chan workloads.Change { return nil }

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
