// Package files is the Jupyter door to a project's files: the contents API with checkpoints and trust, the files themselves,
// export by nbconvert, and the configuration sections that front ends keep.
//
// All that people put into files is served through one function, serveUserBytes, which confines it to an origin of its own: a page
// or picture with a script in it cannot act as whoever looks at it.
package files

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/gateway/jupyter/events"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels/contents"
	"github.com/hopyard/hopyard/kernels/contents/nbconvert"
	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/hopyard/hopyard/projects"
	"github.com/hopyard/hopyard/workloads"
	"github.com/labstack/echo/v4"
)

// Config is what a Handler needs.
type Config struct {
	Store     *contents.Store
	Converter *nbconvert.Converter
	Records   storage.Backend // keeps the configuration sections
	Events    *events.Bus
	// Ran tells which build of an environment the caller's kernel of the notebook at path runs on; nil if there is none.
	// It may be nil itself.
	Ran func(ctx context.Context, who *door.Caller, path string) *workloads.Environment
}

// Handler serves files.
type Handler struct {
	store   *contents.Store
	convert *nbconvert.Converter
	config  sections
	events  *events.Bus
	ran     func(ctx context.Context, who *door.Caller, path string) *workloads.Environment
}

// NewHandler makes a Handler.
func NewHandler(cfg Config) *Handler {
	h := &Handler{store: cfg.Store, convert: cfg.Converter, config: sections{cfg.Records}, events: cfg.Events, ran: cfg.Ran}
	if h.ran == nil {
		h.ran = func(context.Context, *door.Caller, string) *workloads.Environment { return nil }
	}
	return h
}

// Routes gives the routes, below a project's Jupyter base.
func (h *Handler) Routes() []door.Route {
	const get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	var routes []door.Route
	add := func(method string, res projects.Resource, act projects.Action, handle echo.HandlerFunc, paths ...string) {
		for _, path := range paths {
			routes = append(routes, door.Route{Method: method, Path: path, Resource: res, Action: act, Handle: handle})
		}
	}
	read := func(handle echo.HandlerFunc, paths ...string) {
		add(get, projects.ResContents, projects.ActRead, handle, paths...)
	}
	write := func(method string, handle echo.HandlerFunc, paths ...string) {
		add(method, projects.ResContents, projects.ActWrite, handle, paths...)
	}
	const api, old = "/api/contents", "/api/notebooks"
	read(h.get, api, api+"/*")
	write(post, h.post, api, api+"/*")
	write(put, h.put, api, api+"/*")
	write(patch, h.patch, api, api+"/*")
	write(del, h.delete, api, api+"/*")
	read(h.redirectOld, old, old+"/*")
	for _, method := range []string{post, put, patch, del} {
		write(method, h.redirectOld, old, old+"/*")
	}
	read(h.file, "/files/*")
	read(h.view, "/view/*")
	read(h.resolvePath, "/api/resolvePath")
	read(h.formats, "/api/nbconvert")
	read(h.convertFile, "/nbconvert/:format/*")
	write(post, h.convertBody, "/nbconvert/:format")
	add(get, projects.ResSettings, projects.ActRead, h.getSection, "/api/config/:section")
	add(put, projects.ResSettings, projects.ActWrite, h.putSection, "/api/config/:section")
	add(patch, projects.ResSettings, projects.ActWrite, h.patchSection, "/api/config/:section")
	add(post, projects.ResServer, projects.ActRead, reportCSP, "/api/security/csp-report")
	return routes
}

// tail gives what the * of the route stands for in the request's path, each part decoded once. Echo's own parameter is decoded
// or not, depending on what the path looks like.
func tail(c echo.Context) (string, error) {
	route, ok := strings.CutSuffix(c.Path(), "*")
	if !ok {
		return "", nil
	}
	n := strings.Count(route, "/")
	parts := strings.SplitN(c.Request().URL.EscapedPath(), "/", n+1)
	if len(parts) <= n {
		return "", nil
	}
	path, err := url.PathUnescape(parts[n])
	if err != nil {
		return "", problem.New(problem.NotFound, "%q is no path", parts[n])
	}
	return path, nil
}

// base gives the path below which the project's Jupyter door is, as the client wrote it: what stands before route in the request's path.
func base(c echo.Context, route string) string {
	before, _, _ := strings.Cut(c.Path(), route)
	parts := strings.Split(c.Request().URL.EscapedPath(), "/")
	return strings.Join(parts[:min(strings.Count(before, "/")+1, len(parts))], "/")
}

// escape encodes a path for a URL, slashes kept.
func escape(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

// redirectOld sends clients of the API before Jupyter 3 to the one of today.
func (h *Handler) redirectOld(c echo.Context) error {
	path, err := tail(c)
	if err != nil {
		return err
	}
	status := http.StatusFound
	if c.Request().Method != http.MethodGet && c.Request().Method != http.MethodHead {
		status = http.StatusTemporaryRedirect // a client must not turn it into a GET
	}
	to := base(c, "/api/notebooks") + "/api/contents"
	if path = escape(strings.Trim(path, "/")); path != "" {
		to += "/" + path
	}
	return c.Redirect(status, door.WithQuery(c, to))
}

// resolvePath tells which of the project's files a path in a traceback means.
func (h *Handler) resolvePath(c echo.Context) error {
	if !c.QueryParams().Has("path") {
		return problem.New(problem.Invalid, "Missing argument path")
	}
	resolved := []map[string]string{}
	if path, ok := h.store.Resolve(door.CallerOf(c).Project, c.QueryParam("path")); ok {
		resolved = append(resolved, map[string]string{"scope": "server", "path": path})
	}
	return c.JSON(http.StatusOK, map[string]any{"resolved": resolved})
}

// reportCSP takes what browsers say was against a content security policy, as Jupyter does, and keeps nothing of it: reports
// name addresses, and an address may hold a token.
func reportCSP(c echo.Context) error { return c.NoContent(http.StatusNoContent) }
