package auth_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/gateway/auth"
	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/internal/memory"
	"github.com/hopyard/hopyard/projects"
	"github.com/labstack/echo/v4"
)

// world is a site with user sam in project demo, its login pages, and a door that says who calls.
type world struct {
	*httptest.Server
	people *projects.Service
}

func serve(t *testing.T) *world {
	t.Helper()
	w := &world{people: projects.Open(memory.NewStorage(), projects.Options{})}
	t.Cleanup(func() { _ = w.people.Close() })
	for _, name := range []string{"sam", "olga"} {
		if _, err := w.people.CreateUser(t.Context(), projects.By{}, projects.NewUser{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.people.CreateProject(t.Context(), projects.By{}, "demo", "", "sam"); err != nil {
		t.Fatal(err)
	}
	gate := auth.New(w.people)
	e := echo.New()
	e.IPExtractor = echo.ExtractIPDirect()
	r := door.NewRegistrar(e, gate, slog.New(slog.DiscardHandler), auth.Error)
	r.Add(gate.Door())
	r.Add(door.Door{
		Name: "who", Base: "/p/:project", Error: auth.Error, Login: auth.ToLogin,
		Routes: []door.Route{{
			Method: http.MethodGet, Path: "/who", Resource: projects.ResServer, Action: projects.ActRead,
			Handle: func(c echo.Context) error {
				who, how := door.CallerOf(c), " by cookie"
				if who.Token {
					how = " by token"
				}
				return c.String(http.StatusOK, who.User+how+" at "+c.Request().URL.String()+" "+c.Request().RequestURI)
			},
		}},
	})
	w.Server = httptest.NewServer(auth.TakeURLToken(e))
	t.Cleanup(w.Close)
	return w
}

func (w *world) token(t *testing.T, user, project string) string {
	t.Helper()
	_, secret, err := w.people.CreateToken(t.Context(), projects.By{}, projects.NewToken{User: user, Project: project})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// session logs a user in and returns the cookie as a header line.
func (w *world) session(t *testing.T, user string) string {
	t.Helper()
	code, _, err := w.people.CreateLink(t.Context(), projects.By{}, user)
	if err != nil {
		t.Fatal(err)
	}
	login, err := w.people.UseLink(t.Context(), code, "")
	if err != nil {
		t.Fatal(err)
	}
	return "Cookie: " + auth.Cookie + "=" + login.Secret
}

type answer struct {
	status int
	body   string
	header http.Header
	cookie *http.Cookie
}

func (w *world) get(t *testing.T, path string, headers ...string) answer {
	t.Helper()
	return w.do(t, http.MethodGet, path, "", headers...)
}

func (w *world) post(t *testing.T, path string, form url.Values, headers ...string) answer {
	t.Helper()
	return w.do(t, http.MethodPost, path, form.Encode(), append(headers, "Content-Type: application/x-www-form-urlencoded")...)
}

func (w *world) do(t *testing.T, method, path, body string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	resp, err := w.Client().Transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, body: string(b), header: resp.Header}
	for _, cookie := range resp.Cookies() {
		if cookie.Name == auth.Cookie {
			a.cookie = cookie
		}
	}
	return a
}

func (a answer) want(t *testing.T, status int, body string) {
	t.Helper()
	if a.status != status || !strings.Contains(a.body, body) {
		t.Errorf("answer = %d %q, want %d with %q", a.status, a.body, status, body)
	}
}

func (a answer) wantTo(t *testing.T, status int, location string) {
	t.Helper()
	if got := a.header.Get("Location"); a.status != status || got != location {
		t.Errorf("answer = %d to %q, want %d to %q", a.status, got, status, location)
	}
}
