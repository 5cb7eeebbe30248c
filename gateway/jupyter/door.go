// Package jupyter is the Jupyter door: jupyter_server's REST API and websockets below /p/{project}/jupyter/, so that
// JupyterLab, Notebook 7, VS Code and every other Jupyter client work unchanged.
//
// This package serves kernels, sessions, terminals and the server's own facts, and assembles the door from its parts:
// files (contents), events, lab (the pages and Lab's own API).
package jupyter

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/gateway/jupyter/events"
	"github.com/hopyard/hopyard/gateway/jupyter/shape"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels"
	"github.com/hopyard/hopyard/projects"
	"github.com/labstack/echo/v4"
)

// Base is the door's base path.
const Base = "/p/:project/jupyter"

// Version is the jupyter_server version whose behaviour this door has: clients decide by it.
const Version = "2.21.1"

// Config is what the door works with.
type Config struct {
	Kernels *kernels.Manager
	Events  *events.Bus
	// Parts are the routes of the door's other packages.
	Parts [][]door.Route
	Login func(echo.Context) error
	Log   *slog.Logger
}

// Handler serves kernels, sessions, terminals and the server's own facts.
type Handler struct {
	cfg     Config
	started time.Time
	tabs    tabs
}

// New assembles the door.
func New(cfg Config) door.Door {
	h := &Handler{cfg: cfg, started: time.Now()}
	routes := h.serverRoutes()
	routes = append(routes, h.kernelRoutes()...)
	routes = append(routes, h.sessionRoutes()...)
	routes = append(routes, h.terminalRoutes()...)
	for _, part := range cfg.Parts {
		routes = append(routes, part...)
	}
	return door.Door{
		Name: "jupyter", Base: Base, Routes: routes, Error: shape.Error, Login: cfg.Login,
		Foreign: problem.NotFound, // as Jupyter answers pages of other origins
	}
}

// who is on whose behalf a request acts.
func who(c echo.Context) kernels.Who {
	caller := door.CallerOf(c)
	return kernels.Who{Project: caller.Project, User: caller.User}
}

// base is the door's base path for the project of a request.
func base(c echo.Context) string { return "/p/" + door.CallerOf(c).Project + "/jupyter" }

func (h *Handler) serverRoutes() []door.Route {
	return []door.Route{
		{
			Method: http.MethodGet, Path: "/api", Handle: h.version,
			Public: "clients and probes ask for the version before they have a token",
		},
		{Method: http.MethodGet, Path: "/api/status", Handle: h.status, Resource: projects.ResServer, Action: projects.ActRead},
		{Method: http.MethodGet, Path: "/api/me", Handle: h.me, Resource: projects.ResServer, Action: projects.ActRead},
	}
}

func (h *Handler) version(c echo.Context) error {
	return c.JSON(http.StatusOK, map[string]string{"version": Version})
}

func (h *Handler) status(c echo.Context) error {
	all, err := h.cfg.Kernels.Kernels(c.Request().Context(), who(c))
	if err != nil {
		return err
	}
	last, connections := h.started, 0
	for _, k := range all {
		connections += k.Connections
		if k.LastActivity.After(last) {
			last = k.LastActivity
		}
	}
	return c.JSON(http.StatusOK, map[string]any{
		"started": shape.Time(h.started), "last_activity": shape.Time(last), "kernels": len(all), "connections": connections,
	})
}
