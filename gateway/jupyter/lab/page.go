package lab

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/internal/problem"
	uilab "github.com/hopyard/hopyard/ui/lab"
	"github.com/labstack/echo/v4"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// cleanAddress takes a token out of the address bar, as the shipped pages do.
const cleanAddress = `(() => {
  const here = new URL(window.location.href);
  if (here.searchParams.has('token')) {
    here.searchParams.delete('token');
    window.history.replaceState({}, '', here.href);
  }
})();`

// policy is the pages' content security policy.
//
//   - 'unsafe-eval': both applications check settings with ajv, which compiles schemas to functions; without it no plugin
//     gets its settings and nothing starts (tried with 4.6.6).
//   - blob: scripts and workers: widgets that bring their own module (anywidget) import it from a blob, and libraries start
//     their workers so.
//   - inline styles: the whole user interface uses them.
//   - https: pictures and media: notebooks show badges and figures from the web in their Markdown.
func policy(inlineScripts bool) string {
	script := "'self' 'unsafe-eval' blob: "
	if inlineScripts {
		script += "'unsafe-inline' https:"
	} else {
		sum := sha256.Sum256([]byte(cleanAddress))
		script += "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return strings.Join([]string{
		"default-src 'self'",
		"script-src " + script,
		"style-src 'self' 'unsafe-inline'",
		"img-src 'self' data: blob: https:",
		"media-src 'self' data: blob: https:",
		"font-src 'self' data:",
		"connect-src 'self' data: blob:",
		"worker-src 'self' blob:",
		"frame-src 'self' blob: data:",
		"object-src 'none'",
		"base-uri 'none'",
		"form-action 'self'",
		"frame-ancestors 'self'",
	}, "; ")
}

// page is one of the pages; its config is added to what all have.
type page struct {
	Title     string
	Icon      string // in static/favicons
	BusyIcon  bool   // Lab swaps icons by their class while a kernel works
	Body      string // the body's data-notebook, by which Notebook's styles tell its pages apart
	notebook  string // Notebook's name of the page; empty for Lab
	BaseURL   string
	ScriptURL string
	Config    template.JS // JSON, escaped for a script element
	Clean     template.JS
}

// Notebook's pages.
var (
	treePage     = page{Title: "Home", Icon: "favicon.ico", notebook: "tree"}
	notebookPage = page{Title: "Jupyter Notebook - Notebook", Icon: "favicon-notebook.ico", notebook: "notebooks", Body: "notebooks"}
	editPage     = page{Title: "Jupyter Notebook - Edit", Icon: "favicon-file.ico", notebook: "edit", Body: "edit"}
	consolePage  = page{Title: "Jupyter Notebook - Console", Icon: "favicon-notebook.ico", notebook: "consoles"}
	terminalPage = page{Title: "Jupyter Notebook - Terminal", Icon: "favicon-terminal.ico", notebook: "terminals"}
	labPage      = page{Title: "JupyterLab", Icon: "favicon.ico", BusyIcon: true}
)

// show writes the page with its config.
func (h *Handler) show(c echo.Context, p page, extra map[string]any) error {
	p.BaseURL = base(c)
	config := h.config(p)
	maps.Copy(config, extra)
	p.ScriptURL = config["fullStaticUrl"].(string) + "/" + h.tree.LabScript
	if p.notebook != "" {
		p.ScriptURL = config["fullStaticUrl"].(string) + "/" + h.tree.NotebookScript
	}
	text, err := json.Marshal(config) // escapes <, >, & and the line separators
	if err != nil {
		return err
	}
	p.Config, p.Clean = template.JS(text), cleanAddress
	header := c.Response().Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", h.csp)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	c.Response().WriteHeader(http.StatusOK)
	return pageTemplate.Execute(c.Response(), p)
}

// labPage answers /lab…, /doc… with all that Lab's router knows: workspaces/NAME, tree/PATH, doc.
func (h *Handler) labPage(c echo.Context) error {
	rest := strings.Trim(below(c, ""), "/")
	extra := map[string]any{"mode": "multiple-document", "workspace": "default", "treePath": ""}
	app, rest, _ := strings.Cut(rest, "/")
	if doc, ok := strings.CutPrefix(rest+"/", "doc/"); app == "doc" || ok {
		extra["mode"] = "single-document"
		if ok {
			rest = strings.TrimSuffix(doc, "/")
		}
	}
	if name, ok := strings.CutPrefix(rest, "workspaces/"); ok {
		extra["workspace"], rest, _ = strings.Cut(name, "/")
	}
	if path, ok := strings.CutPrefix(rest+"/", "tree/"); ok {
		extra["treePath"], rest = strings.Trim(path, "/"), ""
	}
	if rest != "" {
		extra["notFoundUrl"] = c.Request().URL.Path
	}
	return h.show(c, labPage, extra)
}

// treePage shows a folder; a notebook is opened on its own page and any other file is handed out, as stock does.
func (h *Handler) treePage(c echo.Context) error {
	path := strings.Trim(below(c, "/tree"), "/")
	kind, err := h.kindOf(c, path)
	switch {
	case err != nil:
		return err
	case kind == Notebook:
		return redirect(c, "notebooks/"+path)
	case kind == File:
		return redirect(c, "files/"+path)
	}
	return h.show(c, treePage, map[string]any{"treePath": path})
}

// notebookPage shows a notebook, also one that is not there: the page itself says so.
func (h *Handler) notebookPage(c echo.Context) error {
	path := strings.Trim(below(c, "/notebooks"), "/")
	kind, err := h.kindOf(c, path)
	if err != nil && !problem.Is(err, problem.NotFound) {
		return err
	}
	if kind == Directory {
		return redirect(c, "tree/"+path)
	}
	return h.show(c, notebookPage, nil)
}

func (h *Handler) simplePage(p page) echo.HandlerFunc {
	return func(c echo.Context) error { return h.show(c, p, nil) }
}

func (h *Handler) kindOf(c echo.Context, path string) (Kind, error) {
	if path == "" {
		return Directory, nil
	}
	return h.kind(c.Request().Context(), door.CallerOf(c), path)
}

func redirect(c echo.Context, path string) error {
	to := url.URL{Path: base(c) + path}
	return c.Redirect(http.StatusFound, to.EscapedPath())
}

// disabledPlugins are those whose server part is missing here, or that would call home, and those that an extension in
// the tree replaces.
func disabledPlugins(tree *uilab.Tree) []string {
	off := []string{
		"@jupyterlab/apputils-extension:announcements",
		"@jupyterlab/extensionmanager-extension",
		"@jupyterlab/pluginmanager-extension",
		"@jupyterlab/lsp-extension",
		"@jupyterlab/fileeditor-extension:language-server",
		"@jupyterlab/notebook-extension:language-server",
	}
	for _, ext := range tree.Extensions {
		off = append(off, ext.Disables...)
	}
	return off
}
