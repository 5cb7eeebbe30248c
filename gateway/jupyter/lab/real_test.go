package lab_test

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/internal/wheels"
	uilab "github.com/hopyard/hopyard/ui/lab"
)

// openReal gives the tree out of the pinned wheels. It is kept beside the cache of wheels, because unpacking takes
// seconds; the tree is named for its content and never changes.
func openReal(t *testing.T) *uilab.Tree {
	t.Helper()
	if testing.Short() {
		t.Skip("fetches real wheels")
	}
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("no python3 to fetch wheels with")
	}
	cache, err := wheels.DefaultCache()
	if err != nil {
		t.Skip(err)
	}
	tree, err := uilab.Prepare(t.Context(), filepath.Join(filepath.Dir(cache), "test"), &wheels.Fetcher{Cache: cache}, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tree.Close() })
	return tree
}

func TestTheShippedPagesFindTheirFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, openReal(t))
	for _, path := range []string{"/lab", "/tree", "/notebooks/x.ipynb"} {
		config := w.config(path)
		page := w.get(path).Body.String()
		_, after, _ := strings.Cut(page, `<script defer src="/p/demo/jupyter`)
		script, _, _ := strings.Cut(after, `"`)
		rec := w.get(script, "Accept-Encoding", "gzip")
		if rec.Code != http.StatusOK || rec.Header().Get("Content-Encoding") != "gzip" || !strings.Contains(rec.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: script %s: %d %v", path, script, rec.Code, rec.Header())
		}
		for _, e := range config["federated_extensions"].([]any) {
			ext := e.(map[string]any)
			w.want(w.get("/lab/extensions/"+ext["name"].(string)+"/"+ext["load"].(string)), http.StatusOK)
		}
	}
	for _, icon := range []string{"favicon.ico", "favicon-busy-1.ico", "favicon-notebook.ico", "favicon-file.ico", "favicon-terminal.ico"} {
		w.want(w.get("/static/favicons/"+icon), http.StatusOK)
	}
	w.want(w.get("/lab/api/themes/@jupyterlab/theme-dark-extension/index.css"), http.StatusOK)
}

func TestTheShippedSchemasCanAllBeUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, openReal(t))
	list := decode[struct{ Settings []entry }](t, w.get("/lab/api/settings")).Settings
	if len(list) < 90 {
		t.Errorf("%d plugins have settings, want at least 90", len(list))
	}
	for _, e := range list {
		if rec := w.do(http.MethodPut, "/lab/api/settings/"+e.ID, `{"raw":"{}"}`); rec.Code != http.StatusNoContent {
			t.Errorf("%s: %d %s", e.ID, rec.Code, rec.Body)
		}
	}
	const path = "/lab/api/settings/@jupyterlab/apputils-extension:themes"
	w.want(w.do(http.MethodPut, path, `{"raw":"{\"theme\": 5}"}`), http.StatusBadRequest)
	w.want(w.do(http.MethodPut, path, `{"raw":"{\n// dark\n\"theme\": \"JupyterLab Dark\"}"}`), http.StatusNoContent)
}
