package lab_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/gateway/jupyter/lab"
	"github.com/hopyard/hopyard/gateway/jupyter/shape"
	"github.com/hopyard/hopyard/internal/memory"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
	uilab "github.com/hopyard/hopyard/ui/lab"
	"github.com/labstack/echo/v4"
)

// fakeTree is the smallest tree that has one of everything.
var fakeTree = map[string]string{
	"lab/static/index.html":                                                  `<script defer="defer" src="{{page_config.fullStaticUrl}}/main.0123456789abcdef.js?v=0123456789abcdef"></script>`,
	"lab/static/main.0123456789abcdef.js":                                    "start()",
	"lab/static/style.js":                                                    "style()",
	"lab/static/third-party-licenses.json":                                   `{"packages":[{"name":"dep","versionInfo":"1.0","licenseId":"MIT","extractedText":"Do what, you want"}]}`,
	"lab/themes/@x/dark/index.css":                                           "body{}",
	"notebook/templates/tree.html":                                           `<script defer="defer" src="{{page_config.fullStaticUrl}}/main.fedcba9876543210.js?v=fedcba9876543210"></script>`,
	"notebook/static/main.fedcba9876543210.js":                               "start()",
	"favicons/favicon.ico":                                                   "icon",
	"labextensions/@x/ext/package.json":                                      `{"name":"@x/ext","version":"2.0","jupyterlab":{"_build":{"load":"static/remoteEntry.js","extension":"./extension"},"disabledExtensions":["@x/old:plugin"]}}`,
	"labextensions/@x/ext/schemas/@x/ext/package.json.orig":                  `{"version":"2.0"}`,
	"labextensions/@x/ext/schemas/@x/ext/plugin.json":                        `{"title":"Ext","type":"object","properties":{"z":{"type":"number","default":1},"a":{"type":"object","default":{"k":1,"l":{"m":2}}}},"additionalProperties":false}`,
	"labextensions/@x/ext/static/remoteEntry.js":                             "ext()",
	"lab/schemas/@jupyterlab/application-extension/package.json.orig":        `{"version":"4.6.6"}`,
	"lab/schemas/@jupyter-notebook/application-extension/package.json.orig":  `{"version":"7.6.5"}`,
	"lab/schemas/@jupyterlab/apputils-extension/themes.json":                 `{"jupyter.lab.setting-icon":"ui:x", "type":"object","properties":{"theme":{"type":"string","default":"Light"}}, "additionalProperties":false}`,
	"lab/schemas/@jupyterlab/apputils-extension/notification.json":           `{"type":"object","properties":{"fetchNews":{"default":"none"}}}`,
	"lab/static/secret.html":                                                 "{{ template }}",
	"lab/static/0031b1860ea4ad75.woff":                                       "font",
	"lab/static/big.js":                                                      strings.Repeat("text ", 1000),
	"lab/schemas/@jupyterlab/translation-extension/plugin.json":              `{"type":"object"}`,
	"lab/schemas/@jupyterlab/translation-extension/package.json.orig":        `{`,
	"labextensions/@x/ext/static/third-party-licenses.json":                  `{"packages":[]}`,
	"labextensions/@x/ext/schemas/@x/ext/ignored.txt":                        "not a schema",
	"lab/schemas/@jupyterlab/apputils-extension/package.json.orig":           `{"version":"4.6.6"}`,
	"notebook/static/third-party-licenses.json":                              `{"packages":[{"name":"other","versionInfo":"2","licenseId":"BSD","extractedText":""}]}`,
	"lab/schemas/@jupyterlab/codemirror-extension/plugin.json":               `{"type":"object","$ref":"http://elsewhere.invalid/schema"}`,
	"lab/schemas/@jupyterlab/codemirror-extension/package.json.orig":         `{"version":"4.6.6"}`,
	"lab/schemas/@jupyterlab/application-extension/does-not-matter.markdown": "",
}

// world is a handler over a tree, with a caller who can be changed.
type world struct {
	t       *testing.T
	handler http.Handler
	who     *door.Caller
	store   storage.Backend
}

func openFake(t *testing.T) *uilab.Tree {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tree1")
	for name, text := range fakeTree {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var small bytes.Buffer
	zip := gzip.NewWriter(&small)
	if _, err := io.WriteString(zip, fakeTree["lab/static/big.js"]); err != nil || zip.Close() != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "lab/static/big.js.gz"), small.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	tree, err := uilab.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tree.Close() })
	return tree
}

func newWorld(t *testing.T, tree *uilab.Tree, change ...func(*lab.Config)) *world {
	t.Helper()
	w := &world{t: t, who: &door.Caller{User: "ada", Project: "demo"}, store: memory.NewStorage()}
	t.Cleanup(func() { _ = w.store.Close() })
	cfg := lab.Config{Tree: tree, Store: w.store, Kind: kinds}
	for _, c := range change {
		c(&cfg)
	}
	h, err := lab.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	e.HTTPErrorHandler = func(err error, c echo.Context) { _ = shape.Error(c, err, "id") }
	group := e.Group("/p/:project/jupyter", func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			door.WithCaller(c, w.who)
			return next(c)
		}
	})
	for _, r := range h.Routes() {
		if r.Public == "" && (r.Resource == "" || r.Action == "") {
			t.Errorf("route %s %s declares nothing", r.Method, r.Path)
		}
		group.Add(r.Method, r.Path, r.Handle)
	}
	w.handler = e
	return w
}

func kinds(_ context.Context, who *door.Caller, path string) (lab.Kind, error) {
	switch {
	case who.Project != "demo" || strings.Contains(path, "missing"):
		return "", problem.New(problem.NotFound, "no such file: %s", path)
	case strings.HasSuffix(path, ".ipynb"):
		return lab.Notebook, nil
	case strings.Contains(filepath.Base(path), "."):
		return lab.File, nil
	}
	return lab.Directory, nil
}

// do sends a request below the base URL; headers come in pairs.
func (w *world) do(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, "/p/demo/jupyter"+path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec
}

func (w *world) get(path string, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.do(http.MethodGet, path, "", headers...)
}

func (w *world) want(rec *httptest.ResponseRecorder, status int) {
	w.t.Helper()
	if rec.Code != status {
		w.t.Fatalf("status = %d, want %d: %s", rec.Code, status, rec.Body)
	}
}

func decode[T any](t *testing.T, rec *httptest.ResponseRecorder) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v in %s", err, rec.Body)
	}
	return v
}

var configBlock = regexp.MustCompile(`<script id="jupyter-config-data" type="application/json">(.*?)</script>`)

func (w *world) config(path string) map[string]any {
	w.t.Helper()
	rec := w.get(path)
	w.want(rec, http.StatusOK)
	found := configBlock.FindStringSubmatch(rec.Body.String())
	if found == nil {
		w.t.Fatalf("no config in %s", rec.Body)
	}
	var config map[string]any
	if err := json.Unmarshal([]byte(found[1]), &config); err != nil {
		w.t.Fatal(err)
	}
	return config
}
