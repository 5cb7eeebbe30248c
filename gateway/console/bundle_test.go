package console_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/hopyard/hopyard/gateway/auth"
	"github.com/hopyard/hopyard/gateway/console"
	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/internal/memory"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/projects"
	"github.com/hopyard/hopyard/workloads"
	"github.com/labstack/echo/v4"
)

// site is an API with the administrator admin, olga who owns project demo, sam who works in it, and eve.
type site struct {
	*httptest.Server
	people  *projects.Service
	runs    *runs
	envs    *shelf
	api     *console.API
	sockets *door.Sockets
	tokens  map[string]string
	// provenance is what every notebook says.
	provenance console.Provenance
}

func open(t *testing.T, set ...func(*console.Config)) *site {
	t.Helper()
	s := &site{people: projects.Open(memory.NewStorage(), projects.Options{}), runs: &runs{}, envs: newShelf(), sockets: door.NewSockets(), tokens: map[string]string{}}
	t.Cleanup(func() { _ = s.people.Close() })
	ctx := t.Context()
	_, err := s.people.EnsureAdmin(ctx)
	must(t, err)
	for _, name := range []string{"olga", "sam", "eve"} {
		_, err := s.people.CreateUser(ctx, projects.By{}, projects.NewUser{Name: name})
		must(t, err)
	}
	_, err = s.people.CreateProject(ctx, projects.By{}, "demo", "the first", "olga")
	must(t, err)
	_, err = s.people.SetMember(ctx, projects.By{}, "demo", "sam", projects.DataScientist)
	must(t, err)
	for _, name := range []string{"admin", "olga", "sam", "eve"} {
		_, secret, err := s.people.CreateToken(ctx, projects.By{}, projects.NewToken{User: name})
		must(t, err)
		s.tokens[name] = secret
	}
	s.serve(t, set)
	return s
}

func (s *site) serve(t *testing.T, set []func(*console.Config)) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	config := console.Config{
		People: s.people, Workloads: s.runs, Environments: s.envs, Version: "1.2.3", Commit: "abc", Log: log,
		Provenance: func(context.Context, string, string) (console.Provenance, error) { return s.provenance, nil },
	}
	for _, change := range set {
		change(&config)
	}
	s.api = console.New(config)
	t.Cleanup(func() { _ = s.api.Close() })
	e := echo.New()
	e.IPExtractor = echo.ExtractIPDirect()
	door.NewRegistrar(e, auth.New(s.people), log, console.Error).Add(s.api.Door())
	s.Server = httptest.NewUnstartedServer(e)
	s.Config.BaseContext = func(net.Listener) context.Context { return s.sockets.In(context.Background()) }
	s.Start()
	t.Cleanup(s.Close)
	t.Cleanup(s.sockets.Drain) // ends the event streams, which Close would wait for
}

// call makes a request as a user ("" for nobody), wants a status, and decodes the answer into out unless that is nil.
func (s *site) call(t *testing.T, user, method, path, body string, status int, out any) http.Header {
	t.Helper()
	return s.send(t, method, path, body, status, out, "Authorization: Bearer "+s.tokens[user])
}

func (s *site) send(t *testing.T, method, path, body string, status int, out any, headers ...string) http.Header {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+console.Base+path, strings.NewReader(body))
	must(t, err)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	resp, err := s.Client().Do(req)
	must(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	if resp.StatusCode != status {
		t.Fatalf("%s %s = %d %s, want %d", method, path, resp.StatusCode, text, status)
	}
	if out != nil {
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(out); err != nil {
			t.Fatalf("%s %s = %s: %v", method, path, text, err)
		}
	}
	return resp.Header
}

// refused makes a request that must fail with a code, and returns the message.
func (s *site) refused(t *testing.T, user, method, path, body string, status int, code problem.Code) string {
	t.Helper()
	var e struct {
		Error struct {
			Code        problem.Code
			Message, ID string
		}
	}
	s.call(t, user, method, path, body, status, &e)
	if e.Error.Code != code || e.Error.Message == "" || e.Error.ID == "" {
		t.Errorf("%s %s = %+v, want a %s with a message and an id", method, path, e.Error, code)
	}
	return e.Error.Message
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// runs are workloads kept by hand.
type runs struct {
	mu      sync.Mutex
	infos   []workloads.Info
	stopped []string
	subs    []chan workloads.Change
}

func (r *runs) add(w workloads.Info) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.infos = append(r.infos, w)
	for _, sub := range r.subs {
		sub <- workloads.Change{Project: w.Project, ID: w.ID}
	}
}

func (r *runs) List(_ context.Context, project string) ([]workloads.Info, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var in []workloads.Info
	for _, w := range r.infos {
		if project == "" || w.Project == project {
			in = append(in, w)
		}
	}
	return in, nil
}

func (r *runs) Get(ctx context.Context, project, id string) (workloads.Info, error) {
	in, _ := r.List(ctx, project)
	for _, w := range in {
		if w.ID == id {
			return w, nil
		}
	}
	return workloads.Info{}, problem.New(problem.NotFound, "there is no workload %q", id)
}

func (r *runs) Stop(_ context.Context, project, id, by string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = append(r.stopped, project+"/"+id+" by "+by)
	return nil
}

func (r *runs) Subscribe(context.Context) <-chan workloads.Change {
	r.mu.Lock()
	defer r.mu.Unlock()
	ch := make(chan workloads.Change, 100)
	r.subs = append(r.subs, ch)
	return ch
}
