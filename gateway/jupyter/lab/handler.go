// Package lab serves the pages of JupyterLab and Notebook 7 with what they ask of their own server part: static files,
// settings, workspaces, themes, translations and licences. The bundles are the published ones (ui/lab); the pages around
// them are ours.
//
// Settings and workspaces belong to a user in a project. Everything else is the same for all.
package lab

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/hopyard/hopyard/projects"
	uilab "github.com/hopyard/hopyard/ui/lab"
	"github.com/labstack/echo/v4"
)

// Kind is what a path of a project's files is.
type Kind string

// The kinds, in Jupyter's words.
const (
	Directory Kind = "directory"
	Notebook  Kind = "notebook"
	File      Kind = "file"
)

// Config is what a Handler needs.
type Config struct {
	Tree  *uilab.Tree // stays the caller's
	Store storage.Backend
	// Kind tells what a path in the caller's project is; a problem.NotFound if it is nothing or hidden.
	Kind func(ctx context.Context, who *door.Caller, path string) (Kind, error)
	// Overrides are the site's own defaults of settings, in the format of JupyterLab's overrides.json, over ours. Nil
	// means none.
	Overrides []byte
	// InlineScripts lets outputs of trusted notebooks run script written into their HTML, at the price that the pages'
	// content security policy no longer stops injected script. Off by default.
	InlineScripts bool
}

// Handler answers below a project's Jupyter base URL. It is safe for concurrent use.
type Handler struct {
	tree     *uilab.Tree
	store    storage.Backend
	kind     func(ctx context.Context, who *door.Caller, path string) (Kind, error)
	csp      string
	catalog  func() (*catalog, error) // read at the first use: a gateway nobody opens Lab on need not hold it
	bundles  []bundle
	disabled []string
}

// New makes a Handler. It reads nothing yet but the overrides, whose errors it returns.
func New(cfg Config) (*Handler, error) {
	overrides, err := parseOverrides(cfg.Overrides)
	if err != nil {
		return nil, err
	}
	h := &Handler{
		tree:     cfg.Tree,
		store:    cfg.Store,
		kind:     cfg.Kind,
		csp:      policy(cfg.InlineScripts),
		bundles:  licenceBundles(cfg.Tree),
		disabled: disabledPlugins(cfg.Tree),
	}
	h.catalog = sync.OnceValues(func() (*catalog, error) { return readCatalog(h.tree, overrides) })
	return h, nil
}

// Why the static files need no login: a browser asks for some of them without credentials, and they are the published
// open-source files, the same for everybody.
const bundleIsPublic = "published open-source files, nobody's data"

// Routes lists the routes below /p/:project/jupyter. Their methods, paths and permissions are those of every Handler, also of
// one without files: only calling them needs a Handler made by New.
func (h *Handler) Routes() []door.Route {
	page := func(path string, handle echo.HandlerFunc) door.Route {
		return door.Route{Method: http.MethodGet, Path: path, Page: true, Resource: projects.ResServer, Action: projects.ActRead, Handle: handle}
	}
	static := func(path, folder string) door.Route {
		return door.Route{Method: http.MethodGet, Path: path + "/*", Public: bundleIsPublic, Handle: h.static(path+"/", folder)}
	}
	routes := []door.Route{
		page("/", h.home),
		page("/lab", h.labPage), page("/lab/*", h.labPage),
		page("/doc", h.labPage), page("/doc/*", h.labPage),
		page("/tree", h.treePage), page("/tree/*", h.treePage),
		page("/notebooks/*", h.notebookPage),
		page("/edit/*", h.simplePage(editPage)),
		page("/consoles/*", h.simplePage(consolePage)),
		page("/terminals/*", h.simplePage(terminalPage)),
		static("/static/lab", uilab.LabStatic),
		static("/static/notebook", uilab.NotebookStatic),
		static("/static/favicons", uilab.Favicons),
		static("/lab/extensions", uilab.Extensions),
		static("/lab/api/themes", uilab.LabThemes),
		{Method: http.MethodGet, Path: "/favicon.ico", Public: bundleIsPublic, Handle: h.favicon},
		{Method: http.MethodGet, Path: "/custom/custom.css", Public: "always empty", Handle: noStyles},
	}
	routes = append(routes, h.settingsRoutes()...)
	routes = append(routes, h.workspaceRoutes()...)
	return append(routes, h.extraRoutes()...)
}

// base is the Jupyter base URL of the request's project, with both slashes.
func base(c echo.Context) string { return "/p/" + c.Param("project") + "/jupyter/" }

// below gives what follows prefix in the request's decoded path. Echo's own parameters are not decoded alike in all cases.
func below(c echo.Context, prefix string) string {
	rest, _ := strings.CutPrefix(c.Request().URL.Path, strings.TrimSuffix(base(c), "/")+prefix)
	return rest
}

func (h *Handler) home(c echo.Context) error { return c.Redirect(http.StatusFound, base(c)+"lab") }

func notFound(what, name string) error {
	return problem.New(problem.NotFound, "%s not found: %s", what, name)
}
