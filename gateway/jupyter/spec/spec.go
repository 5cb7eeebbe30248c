// Package spec serves the description of the Jupyter API that this gateway speaks, at api/spec.yaml.
package spec

import (
	"bytes"
	_ "embed"
	"net/http"
	"strings"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/projects"
	"github.com/labstack/echo/v4"
)

//go:embed api.yaml
var api []byte

// Handler serves the description.
type Handler struct{}

// Routes gives the routes, below a project's Jupyter base.
func (h *Handler) Routes() []door.Route {
	return []door.Route{{Method: http.MethodGet, Path: "/api/spec.yaml", Resource: projects.ResServer, Action: projects.ActRead, Handle: h.get}}
}

// get answers with the addresses of the caller's project.
func (h *Handler) get(c echo.Context) error {
	base := strings.TrimSuffix(c.Request().URL.EscapedPath(), "/api/spec.yaml")
	text := bytes.Replace(api, []byte("basePath: /\n"), []byte("basePath: \""+base+"\"\n"), 1)
	return c.Blob(http.StatusOK, "text/x-yaml", text)
}
