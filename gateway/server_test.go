package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/hopyard/hopyard/projects"
)

func TestRevokedTokenClosesItsWebsocket(t *testing.T) {
	t.Parallel()
	s := open(t)
	id, secret := s.token(t, "sam", "")
	_, other := s.token(t, "sam", "demo")
	ws, stays := s.dial(t, secret), s.dial(t, other)
	if err := s.people.RevokeToken(t.Context(), projects.By{}, "sam", id); err != nil {
		t.Fatal(err)
	}
	wantClose(t, ws, websocket.ClosePolicyViolation)
	if resp, _ := s.ask(t, "GET", "/p/demo/test/ws", "Authorization: Bearer "+secret); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the revoked token = %d, want 401", resp.StatusCode)
	}
	if err := s.people.RemoveMember(t.Context(), projects.By{}, "demo", "sam"); err != nil {
		t.Fatal(err)
	}
	wantClose(t, stays, websocket.ClosePolicyViolation)
}

func TestShutdownSendsWebsocketsAwayAndLetsRequestsFinish(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, secret := s.token(t, "sam", "")
	ws := s.dial(t, secret)

	events := s.stream(t, secret)
	slow := make(chan string, 1)
	go func() {
		_, body := s.ask(t, "GET", "/p/demo/test/slow", "Authorization: Bearer "+secret)
		slow <- body
	}()
	s.waitForRequests(t, 3)
	done := make(chan error, 1)
	go func() { done <- s.server.Shutdown(context.Background()) }()
	wantClose(t, ws, websocket.CloseServiceRestart)
	for events.Scan() { // the stream ends by itself
	}
	close(s.block)
	if body := <-slow; body != "done" {
		t.Errorf("the request that was under way = %q, want it finished", body)
	}
	if err := <-done; err != nil {
		t.Errorf("Shutdown = %v", err)
	}
	if err := <-s.served; err != nil {
		t.Errorf("Serve = %v", err)
	}
}

func TestShutdownBreaksOffWhatTakesTooLong(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, secret := s.token(t, "sam", "")
	go func() {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/p/demo/test/slow?token="+secret, nil)
		if resp, err := http.DefaultTransport.RoundTrip(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	s.waitForRequests(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.server.Shutdown(ctx); err == nil {
		t.Error("Shutdown = nil, want to hear that something was broken off")
	}
	if err := <-s.served; err != nil {
		t.Errorf("Serve = %v", err)
	}
}

// stream opens the event stream and returns its lines once it has begun.
func (s *site) stream(t *testing.T, secret string) *bufio.Scanner {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	if resp.StatusCode != http.StatusOK || !lines.Scan() {
		t.Fatalf("the event stream = %d", resp.StatusCode)
	}
	return lines
}

// waitForRequests waits until n requests are under way.
func (s *site) waitForRequests(t *testing.T, n int) {
	t.Helper()
	s.waitForFigure(t, fmt.Sprintf("hopyard_http_requests_in_flight %d\n", n))
}

// waitForFigure waits until the operators' figures have that line.
func (s *site) waitForFigure(t *testing.T, line string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(s.metrics(t), line); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("the figures never had %q:\n%s", line, s.metrics(t))
		}
	}
}

func (s *site) metrics(t *testing.T) string {
	t.Helper()
	_, text := s.operate(t, "/metrics")
	return text
}

func (s *site) operate(t *testing.T, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	s.server.Operators().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestSecretsStayOutOfTheLog(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, secret := s.token(t, "sam", "")
	s.ask(t, "GET", "/p/demo/test/fault?token="+secret+"&q=private")
	s.ask(t, "GET", "/t/"+secret+"/p/demo/test/fault")
	s.ask(t, "GET", "/p/demo/test/fault", "Authorization: Bearer "+secret)
	s.ask(t, "GET", "/p/demo/test/fault", "Authorization: Bearer "+secret, "Referer: "+s.url+"/?token="+secret)
	log := s.log.String()
	if strings.Count(log, "unexpected EOF") != 4 {
		t.Errorf("the faults are not in the log once each:\n%s", log)
	}
	if strings.Contains(log, secret) || strings.Contains(log, "private") {
		t.Errorf("the log has what it must not:\n%s", log)
	}
}

func TestPagesNeedALogin(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, secret := s.token(t, "sam", "")
	for _, path := range []string{"/", "/projects/demo", "/projects/demo/running", "/users"} {
		resp, _ := s.ask(t, "GET", path)
		if to := resp.Header.Get("Location"); resp.StatusCode != http.StatusFound || !strings.HasPrefix(to, "/login?next=%2F") {
			t.Errorf("%s for nobody = %d to %q, want the login", path, resp.StatusCode, to)
		}
		if resp, body := s.ask(t, "GET", path, "Authorization: Bearer "+secret); resp.StatusCode != http.StatusOK || body != "console "+path {
			t.Errorf("%s = %d %q, want the console", path, resp.StatusCode, body)
		}
	}
	if resp, body := s.ask(t, "GET", "/assets/x.js"); resp.StatusCode != http.StatusOK || body != "console /assets/x.js" {
		t.Errorf("assets for nobody = %d %q, want them served", resp.StatusCode, body)
	}
}

func TestGuessedAddressesLeadOn(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, secret := s.token(t, "sam", "")
	for path, want := range map[string]string{
		"/p/demo":                "/projects/demo",
		"/p/demo/":               "/p/demo",
		"/p/demo/jupyter":        "/p/demo/jupyter/lab",
		"/p/demo/jupyter/login":  "/p/demo/jupyter/lab",
		"/p/demo/jupyter/logout": "/logout",
		"/projects/demo/":        "",
	} {
		resp, _ := s.ask(t, "GET", path, "Authorization: Bearer "+secret)
		if to := resp.Header.Get("Location"); to != want {
			t.Errorf("%s leads to %q, want %q", path, to, want)
		}
	}
	resp, _ := s.ask(t, "GET", "/p/demo/jupyter?token="+secret)
	if to := resp.Header.Get("Location"); to != "/p/demo/jupyter/lab?token="+secret {
		t.Errorf("with a token in the address it leads to %q, want the token kept", to)
	}
	resp, _ = s.ask(t, "GET", "/p/foreign/jupyter", "Authorization: Bearer "+secret)
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("a project of nobody = %d, want 404", resp.StatusCode)
	}
}

func TestOperatorsSeeFigures(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, secret := s.token(t, "sam", "")
	s.dial(t, secret)
	s.waitForFigure(t, "hopyard_websockets_open 1\n") // counted when the client has been answered
	s.ask(t, "GET", "/nothing")
	for _, path := range []string{"/healthz", "/readyz"} {
		if code, _ := s.operate(t, path); code != http.StatusOK {
			t.Errorf("%s = %d, want 200", path, code)
		}
	}
	text := s.metrics(t)
	for _, line := range []string{`hopyard_http_requests_total{class="4xx"} 1`, "process_resident_memory_bytes ", "process_open_fds "} {
		if !strings.Contains(text, line) {
			t.Errorf("the figures lack %q:\n%s", line, text)
		}
	}
	if err := s.server.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code, _ := s.operate(t, "/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("/readyz while shutting down = %d, want 503", code)
	}
}
