package ui

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

const script = "assets/index-abc123.js"

func build() http.Handler {
	return newHandler(fstest.MapFS{
		".keep":         {},
		"index.html":    {Data: []byte("<!doctype html>the page")},
		"index.html.gz": {Data: []byte("packed page")},
		script:          {Data: []byte("the script")},
		"favicon.svg":   {Data: []byte("<svg/>")},
	})
}

func get(t *testing.T, h http.Handler, path string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEveryPathThatIsNoFileShowsThePage(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/", "/users", "/projects/demo/running", "/projects/a.b", "/../../etc/passwd", "/index.html", "/.keep", "/index.html.gz"} {
		r := get(t, build(), path)
		if got := body(t, r); r.StatusCode != http.StatusOK || !strings.Contains(got, "the page") {
			t.Errorf("%s answered %d %q", path, r.StatusCode, got)
		}
		if got := r.Header.Get("Cache-Control"); got != "no-cache" {
			t.Errorf("%s has Cache-Control %q", path, got)
		}
		if got := r.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
			t.Errorf("%s has Content-Type %q", path, got)
		}
	}
}

func TestHashedAssetsAreKeptForGoodAndMissingOnesNeverAreThePage(t *testing.T) {
	t.Parallel()
	r := get(t, build(), "/"+script)
	if got := body(t, r); got != "the script" {
		t.Errorf("the script is %q", got)
	}
	if got := r.Header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
		t.Errorf("Cache-Control is %q", got)
	}
	if got := r.Header.Get("Content-Type"); got != "text/javascript; charset=utf-8" {
		t.Errorf("Content-Type is %q", got)
	}
	old := get(t, build(), "/assets/index-old.js")
	if old.StatusCode != http.StatusNotFound || old.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("an asset of an older build answered %d, Cache-Control %q", old.StatusCode, old.Header.Get("Cache-Control"))
	}
}

func TestPackedFilesGoToThoseWhoTakeThem(t *testing.T) {
	t.Parallel()
	for header, packed := range map[string]bool{
		"": false, "gzip": true, "br, gzip;q=0.8": true, "gzip;q=0": false, "gzip; q=0.0": false, "x-gzip": false, "gzip;q=x": false,
	} {
		r := get(t, build(), "/", "Accept-Encoding", header)
		if got := r.Header.Get("Content-Encoding") == "gzip"; got != packed {
			t.Errorf("with Accept-Encoding %q packed is %v", header, got)
		}
		if got := body(t, r) == "packed page"; got != packed {
			t.Errorf("with Accept-Encoding %q the packed body is %v", header, got)
		}
		if r.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("with Accept-Encoding %q Vary is %q", header, r.Header.Get("Vary"))
		}
	}
}

func TestAPageThatTheBrowserHasIsNotSentAgain(t *testing.T) {
	t.Parallel()
	etag := get(t, build(), "/").Header.Get("ETag")
	r := get(t, build(), "/projects/demo", "If-None-Match", "W/"+etag)
	if got := body(t, r); r.StatusCode != http.StatusNotModified || got != "" {
		t.Errorf("answered %d %q", r.StatusCode, got)
	}
	packed := get(t, build(), "/", "If-None-Match", etag, "Accept-Encoding", "gzip")
	if packed.StatusCode != http.StatusOK {
		t.Errorf("the packed page is another answer, but the plain one's ETag gave %d", packed.StatusCode)
	}
}

func TestEveryAnswerCarriesThePolicy(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.Handler{"built": build(), "not built": newHandler(fstest.MapFS{".keep": {}}), "left out": newHandler(nil)} {
		for _, path := range []string{"/", "/" + script, "/assets/none.js"} {
			header := get(t, h, path).Header
			if csp := header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'self';") || strings.Contains(csp, "unsafe") {
				t.Errorf("%s %s: policy %q", name, path, csp)
			}
			if header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s %s: types may be guessed", name, path)
			}
		}
	}
}

func TestWithoutABuildAPageSaysSoAndNamesTheDoors(t *testing.T) {
	t.Parallel()
	for _, h := range []http.Handler{newHandler(fstest.MapFS{".keep": {}}), newHandler(nil)} {
		got := body(t, get(t, h, "/projects/demo"))
		for _, want := range []string{"without its console", "/api/v1/openapi.json", "jupyter/lab", whyNone} {
			if !strings.Contains(got, want) {
				t.Errorf("%q is missing in %s", want, got)
			}
		}
	}
}

func TestOnlyReadingIsServed(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", http.NoBody)
	w := httptest.NewRecorder()
	build().ServeHTTP(w, r)
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("answered %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
	r = httptest.NewRequestWithContext(t.Context(), http.MethodHead, "/", http.NoBody)
	w = httptest.NewRecorder()
	build().ServeHTTP(w, r)
	if w.Code != http.StatusOK || w.Body.Len() != 0 || w.Header().Get("Content-Length") != "23" {
		t.Errorf("HEAD answered %d with %d bytes, Content-Length %q", w.Code, w.Body.Len(), w.Header().Get("Content-Length"))
	}
}

func TestTheHandlerServesWhatThisBinaryWasBuiltWith(t *testing.T) {
	t.Parallel()
	if got := body(t, get(t, Handler(), "/")); !strings.Contains(got, "Hopyard") {
		t.Errorf("the page is %q", got)
	}
}
