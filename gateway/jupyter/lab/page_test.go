package lab_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/gateway/jupyter/lab"
)

func TestLabPagesTellLabWhatToOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, openFake(t))
	for path, want := range map[string][4]string{ // mode, workspace, treePath, notFoundUrl
		"/lab":                           {"multiple-document", "default", "", ""},
		"/lab/":                          {"multiple-document", "default", "", ""},
		"/lab?reset&1234567":             {"multiple-document", "default", "", ""},
		"/lab/tree/a%20b/%C3%A9.ipynb":   {"multiple-document", "default", "a b/é.ipynb", ""},
		"/lab/tree/%3C%2Fscript%3E%22":   {"multiple-document", "default", `</script>"`, ""},
		"/lab/workspaces/auto-x":         {"multiple-document", "auto-x", "", ""},
		"/lab/workspaces/w/tree/dir/x.y": {"multiple-document", "w", "dir/x.y", ""},
		"/doc":                           {"single-document", "default", "", ""},
		"/doc/tree/x.ipynb":              {"single-document", "default", "x.ipynb", ""},
		"/lab/doc/tree/x.ipynb":          {"single-document", "default", "x.ipynb", ""},
		"/lab/nonsense":                  {"multiple-document", "default", "", "/p/demo/jupyter/lab/nonsense"},
	} {
		config := w.config(path)
		var got [4]string
		for i, key := range []string{"mode", "workspace", "treePath", "notFoundUrl"} {
			got[i], _ = config[key].(string)
		}
		if got != want {
			t.Errorf("%s: config = %q, want %q", path, got, want)
		}
	}
}

func TestConfigIsWhatTheFrontEndsNeedAndTellsNoFolders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, openFake(t))
	for path, want := range map[string]map[string]string{
		"/lab": {"appName": "JupyterLab", "appVersion": "4.6.6", "fullStaticUrl": "/p/demo/jupyter/static/lab"},
		"/tree": {
			"appName": "Jupyter Notebook", "appVersion": "7.6.5", "notebookPage": "tree",
			"fullStaticUrl": "/p/demo/jupyter/static/notebook", "frontendUrl": "/p/demo/jupyter/",
		},
		"/notebooks/x.ipynb":   {"notebookPage": "notebooks", "baseUrl": "/p/demo/jupyter/", "token": "", "appUrl": "/lab"},
		"/edit/x.txt":          {"notebookPage": "edit", "fullSettingsUrl": "/p/demo/jupyter/lab/api/settings"},
		"/consoles/x?name=py3": {"notebookPage": "consoles", "notebookVersion": "[2, 21, 0]"},
		"/terminals/1":         {"notebookPage": "terminals", "wsUrl": ""},
	} {
		config := w.config(path)
		for key, value := range want {
			if config[key] != value {
				t.Errorf("%s: %s = %v, want %q", path, key, config[key], value)
			}
		}
		extensions, ok := config["federated_extensions"].([]any)
		if !ok || len(extensions) != 1 || extensions[0].(map[string]any)["load"] != "static/remoteEntry.js" {
			t.Errorf("%s: federated_extensions = %v, want an array with the extension", path, config["federated_extensions"])
		}
		for key, value := range config {
			if text, _ := value.(string); strings.HasSuffix(key, "Dir") || strings.HasPrefix(text, t.TempDir()) || strings.HasPrefix(text, "/tmp") {
				t.Errorf("%s tells %s = %v", path, key, value)
			}
		}
	}
	off, _ := w.config("/lab")["disabledExtensions"].([]any)
	if last := off[len(off)-1]; last != "@x/old:plugin" {
		t.Errorf("disabledExtensions ends with %v, want what the extension replaces", last)
	}
}

func TestPagesRunOnlyTheirOwnScripts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, openFake(t))
	rec := w.get("/lab")
	csp := rec.Header().Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'self'", "object-src 'none'", "frame-ancestors 'self'", "base-uri 'none'"} {
		if !strings.Contains(csp, part) {
			t.Errorf("policy %q lacks %q", csp, part)
		}
	}
	if strings.Contains(csp[:strings.Index(csp, "style-src")], "unsafe-inline") {
		t.Errorf("policy %q allows inline script", csp)
	}
	inline := regexp.MustCompile(`(?s)<script>(.*?)</script>`).FindStringSubmatch(rec.Body.String())
	sum := sha256.Sum256([]byte(inline[1]))
	if hash := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(csp, hash) {
		t.Errorf("policy %q does not allow the page's own script %s", csp, hash)
	}
	if !strings.Contains(rec.Body.String(), `<script defer src="/p/demo/jupyter/static/lab/main.0123456789abcdef.js?v=0123456789abcdef">`) {
		t.Errorf("no script of the bundle in %s", rec.Body)
	}
	if got := rec.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control = %q, want no-store", got)
	}

	open := newWorld(t, openFake(t), func(c *lab.Config) { c.InlineScripts = true })
	if csp := open.get("/lab").Header().Get("Content-Security-Policy"); strings.Contains(csp, "sha256-") || !strings.Contains(csp, "script-src 'self' 'unsafe-eval' blob: 'unsafe-inline'") {
		t.Errorf("policy with inline scripts = %q", csp)
	}
}

func TestPagesRedirectByWhatThePathIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, openFake(t))
	for path, to := range map[string]string{
		"/":                   "/p/demo/jupyter/lab",
		"/tree/a%20b/x.ipynb": "/p/demo/jupyter/notebooks/a%20b/x.ipynb",
		"/tree/x.txt":         "/p/demo/jupyter/files/x.txt",
		"/tree/%3Fx.txt":      "/p/demo/jupyter/files/%3Fx.txt",
		"/notebooks/folder":   "/p/demo/jupyter/tree/folder",
	} {
		rec := w.get(path)
		if rec.Code != http.StatusFound || rec.Header().Get("Location") != to {
			t.Errorf("%s: %d to %q, want 302 to %q", path, rec.Code, rec.Header().Get("Location"), to)
		}
	}
	w.want(w.get("/tree/missing"), http.StatusNotFound)
	w.want(w.get("/notebooks/missing.ipynb"), http.StatusOK)
	if got := w.config("/tree/folder/in")["treePath"]; got != "folder/in" {
		t.Errorf("treePath = %v, want folder/in", got)
	}
}
