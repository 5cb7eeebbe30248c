package lab

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/projects"
	uilab "github.com/hopyard/hopyard/ui/lab"
	"github.com/labstack/echo/v4"
)

// extraRoutes are the small parts of Lab's own API. Translations and build must answer, or Lab does not start or
// complains; those behind disabled plugins answer that there is nothing.
func (h *Handler) extraRoutes() []door.Route {
	route := func(path string, handle echo.HandlerFunc) door.Route {
		return door.Route{Method: http.MethodGet, Path: path, Resource: projects.ResServer, Action: projects.ActRead, Handle: handle}
	}
	// One language is built in. The list names it; its own catalogue is empty, because it is what the code says.
	languages := answer(map[string]any{"data": map[string]any{"en": map[string]any{"displayName": "English", "nativeName": "English"}}, "message": ""})
	language := answer(map[string]any{"data": map[string]any{}, "message": ""})
	listings := answer(map[string]any{"blocked_extensions_uris": []any{}, "allowed_extensions_uris": []any{}, "blocked_extensions": []any{}, "allowed_extensions": []any{}})
	return []door.Route{
		route("/lab/api/translations", languages),
		route("/lab/api/translations/", languages),
		route("/lab/api/translations/*", language),
		route("/lab/api/listings/*", listings),
		route("/lab/api/licenses", h.licences),
		route("/lab/api/licenses/*", h.licences),
		route("/lab/api/build", answer(map[string]any{"status": "stable", "message": ""})),
		route("/lab/api/extensions", answer([]any{})),
		route("/lab/api/plugins", answer(map[string]any{"lockRules": []any{}, "allLocked": true})),
		route("/lab/api/news", answer(map[string]any{"news": []any{}})),
		route("/lab/api/update", answer(map[string]any{"notification": nil})),
		route("/lab/api/*", func(c echo.Context) error { return notFound("Page", c.Request().URL.Path) }),
		route("/lsp/status", answer(map[string]any{"version": 2, "sessions": map[string]any{}, "specs": map[string]any{}})),
	}
}

func answer(value any) echo.HandlerFunc {
	return func(c echo.Context) error { return c.JSON(http.StatusOK, value) }
}

// bundle is one set of third-party packages whose licences the help menu shows.
type bundle struct{ name, file string }

func licenceBundles(tree *uilab.Tree) []bundle {
	const file = "third-party-licenses.json"
	bundles := []bundle{{"JupyterLab", path.Join(uilab.LabStatic, file)}, {"Jupyter Notebook", path.Join(uilab.NotebookStatic, file)}}
	for _, ext := range tree.Extensions {
		bundles = append(bundles, bundle{ext.Name, path.Join(uilab.Extensions, ext.Name, "static", file)})
	}
	return bundles
}

type licensed struct {
	Name    string `json:"name"`
	Version string `json:"versionInfo"`
	Licence string `json:"licenseId"`
	Text    string `json:"extractedText"`
}

type packages struct {
	Packages []licensed `json:"packages"`
}

// licences answers ?format=json|csv|markdown, ?full_text=0, ?bundles=PATTERN… and ?download.
func (h *Handler) licences(c echo.Context) error {
	query := c.QueryParams()
	all := map[string]packages{}
	for _, b := range h.bundles {
		if !chosen(b.name, query.Get("bundles")) {
			continue
		}
		text, err := h.tree.Root().ReadFile(b.file)
		if err != nil {
			continue // a bundle without third-party packages ships no list
		}
		var p packages
		if err := json.Unmarshal(text, &p); err != nil {
			return fmt.Errorf("read licences of %s: %w", b.name, err)
		}
		if query.Get("full_text") == "0" {
			for i := range p.Packages {
				p.Packages[i].Text = ""
			}
		}
		all[b.name] = p
	}
	kind, suffix := "application/json", "json"
	switch query.Get("format") {
	case "csv":
		kind, suffix = "text/csv; charset=utf-8", "csv"
	case "markdown":
		kind, suffix = "text/markdown; charset=utf-8", "md"
	}
	header := c.Response().Header()
	header.Set("Content-Type", kind)
	header.Set("X-Content-Type-Options", "nosniff")
	if query.Has("download") && query.Get("download") != "0" {
		header.Set("Content-Disposition", `attachment; filename="jupyterlab-licenses.`+suffix+`"`)
	}
	return h.writeLicences(c, suffix, all)
}

// chosen matches a name against a comma-separated list of names; an empty list means all.
func chosen(name, list string) bool {
	if list == "" || list == ".*" {
		return true
	}
	for one := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(one) == name {
			return true
		}
	}
	return false
}

func (h *Handler) writeLicences(c echo.Context, format string, all map[string]packages) error {
	out := c.Response()
	out.WriteHeader(http.StatusOK)
	if format == "json" {
		return json.NewEncoder(out).Encode(map[string]any{"bundles": all})
	}
	table := csv.NewWriter(out)
	if format == "csv" {
		_ = table.Write([]string{"name", "bundle", "license_id", "version_info", "extracted_text"})
	}
	for _, b := range h.bundles {
		if format == "md" && len(all[b.name].Packages) > 0 {
			fmt.Fprintf(out, "# %s\n\n", b.name)
		}
		for _, p := range all[b.name].Packages {
			if format == "csv" {
				_ = table.Write([]string{p.Name, b.name, p.Licence, p.Version, p.Text})
				continue
			}
			fmt.Fprintf(out, "## %s\n\n%s %s\n\n", p.Name, p.Licence, p.Version)
			if p.Text != "" {
				fmt.Fprintf(out, "```\n%s\n```\n\n", p.Text)
			}
		}
	}
	table.Flush()
	return table.Error()
}
