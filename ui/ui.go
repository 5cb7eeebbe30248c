// Package ui is the console: a web page written in TypeScript, built by "make build" and embedded in the binary.
//
// It holds pages only. Everything that it shows and does goes through the API at /api/v1, as any other client's calls do.
package ui

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// policy lets the page run and load what this origin serves, and nothing else; no other page may frame it.
const policy = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// Handler serves the console. Paths that name no file get the page itself, which shows what its own router finds there;
// missing assets stay missing. It is safe for concurrent use and keeps no state.
func Handler() http.Handler {
	return newHandler(built())
}

// newHandler serves the build in files; index.html missing from it (or files being nil) means that there is none.
func newHandler(files fs.FS) http.Handler {
	pages := readFiles(files)
	if _, ok := pages["index.html"]; !ok {
		return secured(http.HandlerFunc(explain))
	}
	return secured(pages)
}

// file is one file of the build, ready to be sent.
type file struct {
	contentType string
	etag        string
	plain, gzip []byte // gzip is nil where it would not be smaller
}

// site maps the paths of the build to its files.
type site map[string]*file

func readFiles(files fs.FS) site {
	found := site{}
	if files == nil {
		return found
	}
	_ = fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(path.Base(name), ".") || strings.HasSuffix(name, ".gz") {
			return nil
		}
		if plain, err := fs.ReadFile(files, name); err == nil {
			packed, _ := fs.ReadFile(files, name+".gz")
			found[name] = newFile(name, plain, packed)
		}
		return nil
	})
	return found
}

func newFile(name string, plain, packed []byte) *file {
	sum := sha256.Sum256(plain)
	return &file{
		contentType: contentType(name),
		etag:        hex.EncodeToString(sum[:12]),
		plain:       plain,
		gzip:        packed,
	}
}

// contentType does not trust the host's own table for what the build is made of: a wrong entry there would keep a browser
// from running the script.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	if known := mime.TypeByExtension(path.Ext(name)); known != "" {
		return known
	}
	return "application/octet-stream"
}

// ServeHTTP sends the file that the path names, or the page.
func (s site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "The console's pages can only be read.", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	asset := strings.HasPrefix(name, "assets/")
	found, ok := s[name]
	switch {
	case ok && asset: // its name carries a hash of what it holds
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	case asset:
		w.Header().Set("Cache-Control", "no-store")
		http.NotFound(w, r)
		return
	default:
		w.Header().Set("Cache-Control", "no-cache")
		if !ok {
			found = s["index.html"]
		}
	}
	found.send(w, r)
}

// send answers with the whole file, packed where the browser takes that, or with 304 where it has it already.
func (f *file) send(w http.ResponseWriter, r *http.Request) {
	h, body, etag := w.Header(), f.plain, `"`+f.etag+`"`
	if f.gzip != nil {
		h.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			body, etag = f.gzip, `"`+f.etag+`-gz"`
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("ETag", etag)
	if strings.Contains(r.Header.Get("If-None-Match"), etag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // a browser that went away is nobody to tell
	}
}

// acceptsGzip reads an Accept-Encoding header as far as it matters here: gzip named, and not with a weight of zero.
func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, weight, weighed := strings.Cut(strings.ReplaceAll(part, " ", ""), ";q=")
		if name == "gzip" {
			q, err := strconv.ParseFloat(weight, 64)
			return !weighed || (err == nil && q > 0)
		}
	}
	return false
}

func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}
