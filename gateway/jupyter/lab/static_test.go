package lab_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestStaticFilesHaveTypeAndLifetime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, openFake(t))
	const forever, ask = "public, max-age=31536000, immutable", "no-cache"
	for path, want := range map[string][2]string{
		"/static/lab/main.0123456789abcdef.js?v=0123456789abcdef": {"text/javascript; charset=utf-8", forever},
		"/static/lab/0031b1860ea4ad75.woff":                       {"font/woff", forever},
		"/static/lab/style.js":                                    {"text/javascript; charset=utf-8", ask},
		"/static/notebook/main.fedcba9876543210.js":               {"text/javascript; charset=utf-8", forever},
		"/static/favicons/favicon.ico":                            {"image/x-icon", ask},
		"/favicon.ico":                                            {"image/x-icon", ask},
		"/lab/extensions/@x/ext/static/remoteEntry.js":            {"text/javascript; charset=utf-8", ask},
		"/lab/api/themes/@x/dark/index.css":                       {"text/css; charset=utf-8", ask},
	} {
		rec := w.get(path)
		w.want(rec, http.StatusOK)
		if got := [2]string{rec.Header().Get("Content-Type"), rec.Header().Get("Cache-Control")}; got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
		if rec.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s may be sniffed", path)
		}
		tag := rec.Header().Get("ETag")
		if again := w.get(path, "If-None-Match", tag); again.Code != http.StatusNotModified || again.Body.Len() != 0 {
			t.Errorf("%s again with %s: %d", path, tag, again.Code)
		}
	}
	w.want(w.get("/custom/custom.css"), http.StatusOK)
}

func TestStaticServesNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, openFake(t))
	for _, path := range []string{
		"/static/lab/", "/static/lab/nope.js", "/static/lab/secret.html", "/static/lab/big.js.gz", "/static/lab/../schemas/x.json", "/static/lab/%2e%2e/themes/@x/dark/index.css",
		"/static/lab/..%2fthemes%2f@x%2fdark%2findex.css", "/static/lab//style.js", "/lab/extensions/@x", "/lab/api/themes/@x/dark", "/static/lab/%00.js",
		"/lab/extensions/@x/ext/schemas/@x/ext/package.json.orig",
	} {
		if rec := w.get(path); rec.Code != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, rec.Code)
		}
	}
}

func TestStaticSendsTheCompressedTwinToThoseWhoTakeIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, openFake(t))
	want := fakeTree["lab/static/big.js"]
	for accept, compressed := range map[string]bool{"gzip, deflate, br": true, "br;q=1.0, gzip;q=0.5": true, "*": true, "": false, "br": false, "gzip;q=0": false} {
		rec := w.get("/static/lab/big.js", "Accept-Encoding", accept)
		w.want(rec, http.StatusOK)
		var body io.Reader = rec.Body
		if got := rec.Header().Get("Content-Encoding") == "gzip"; got != compressed {
			t.Fatalf("Accept-Encoding %q: compressed = %v, want %v", accept, got, compressed)
		}
		if compressed {
			zip, err := gzip.NewReader(body)
			if err != nil {
				t.Fatal(err)
			}
			body = zip
		}
		if got, err := io.ReadAll(body); err != nil || string(got) != want {
			t.Errorf("Accept-Encoding %q: %d bytes, %v; want the file's %d", accept, len(got), err, len(want))
		}
		if !strings.Contains(rec.Header().Get("Vary"), "Accept-Encoding") {
			t.Errorf("Accept-Encoding %q: the answer does not vary", accept)
		}
	}
	part := w.get("/static/lab/big.js", "Accept-Encoding", "gzip", "Range", "bytes=5-8")
	if part.Code != http.StatusPartialContent || part.Body.String() != "text" || part.Header().Get("Content-Encoding") != "" {
		t.Errorf("range: %d %q, want 206 of the plain file", part.Code, part.Body)
	}
}
