package gateway_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hopyard/hopyard/gateway"
	"github.com/hopyard/hopyard/gateway/auth"
	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/internal/memory"
	"github.com/hopyard/hopyard/projects"
	"github.com/labstack/echo/v4"
)

// BenchmarkAuthenticatedGet is what everything in front of a handler costs: routing, headers, who, and whether they may.
func BenchmarkAuthenticatedGet(b *testing.B) {
	people := projects.Open(memory.NewStorage(), projects.Options{})
	defer func() { _ = people.Close() }()
	if _, err := people.EnsureAdmin(b.Context()); err != nil {
		b.Fatal(err)
	}
	if _, err := people.EnsureProject(b.Context(), "demo", "", "admin"); err != nil {
		b.Fatal(err)
	}
	_, secret, err := people.CreateToken(b.Context(), projects.By{}, projects.NewToken{User: "admin", Project: "demo"})
	if err != nil {
		b.Fatal(err)
	}
	h := gateway.New(gateway.Config{
		Doors: []door.Door{{
			Name: "bench", Base: "/p/:project/bench", Error: auth.Error,
			Routes: []door.Route{{
				Method: http.MethodGet, Path: "/nothing", Resource: projects.ResServer, Action: projects.ActRead,
				Handle: func(c echo.Context) error { return c.NoContent(http.StatusNoContent) },
			}},
		}},
		Auth: auth.New(people), Console: http.NotFoundHandler(), Log: slog.New(slog.DiscardHandler),
	}).Handler()
	req := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/p/demo/bench/nothing", nil)
	req.Header.Set("Authorization", "Bearer "+secret)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code != http.StatusNoContent {
			b.Fatalf("status = %d", w.Code)
		}
	}
}
