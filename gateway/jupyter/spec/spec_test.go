package spec_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/gateway/jupyter/events"
	"github.com/hopyard/hopyard/gateway/jupyter/files"
	"github.com/hopyard/hopyard/gateway/jupyter/spec"
	"github.com/labstack/echo/v4"
)

func get(t *testing.T) string {
	t.Helper()
	e := echo.New()
	h := new(spec.Handler)
	for _, r := range h.Routes() {
		e.Add(r.Method, "/p/:project/jupyter"+r.Path, r.Handle)
	}
	rec := httptest.NewRecorder()
	e.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/p/demo/jupyter/api/spec.yaml", nil))
	body, err := io.ReadAll(rec.Result().Body)
	if err != nil || rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != "text/x-yaml" {
		t.Fatalf("GET = %d %v, %v", rec.Code, rec.Header(), err)
	}
	return string(body)
}

func TestItSpeaksOfTheProjectsAddresses(t *testing.T) {
	t.Parallel()
	if text := get(t); !strings.Contains(text, "\nbasePath: \"/p/demo/jupyter\"\n") || strings.Contains(text, "\t") {
		t.Errorf("spec = %.300s", text)
	}
}

var (
	pathLine   = regexp.MustCompile(`^  (/\S*):$`)
	methodLine = regexp.MustCompile(`^    (get|post|put|patch|delete):`)
)

func TestEveryRouteIsDescribed(t *testing.T) {
	t.Parallel()
	described := map[string]bool{}
	path := ""
	for line := range strings.Lines(get(t)) {
		line = strings.TrimRight(line, "\n")
		if m := pathLine.FindStringSubmatch(line); m != nil {
			path = m[1]
		} else if m := methodLine.FindStringSubmatch(line); m != nil {
			described[strings.ToUpper(m[1])+" "+path] = true
		}
	}
	var routes []door.Route
	routes = append(routes, files.NewHandler(files.Config{}).Routes()...)
	routes = append(routes, events.NewHandler(events.NewBus()).Routes()...)
	routes = append(routes, new(spec.Handler).Routes()...)
	name := strings.NewReplacer("*", "{path}", ":format", "{format}", ":section", "{section}")
	for _, r := range routes {
		if strings.HasPrefix(r.Path, "/api/notebooks") { // a redirect for old clients
			continue
		}
		if is := r.Method + " " + name.Replace(r.Path); !described[is] {
			t.Errorf("%s is not described", is)
		}
	}
}
