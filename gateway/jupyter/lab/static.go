package lab

import (
	"io/fs"
	"net/http"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"

	uilab "github.com/hopyard/hopyard/ui/lab"
	"github.com/labstack/echo/v4"
)

// types are the media types of what the tree serves. Nothing else is served, so that a template or a new kind of file is
// never handed out as something that a browser guesses at.
var types = map[string]string{
	".css":   "text/css; charset=utf-8",
	".eot":   "application/vnd.ms-fontobject",
	".gif":   "image/gif",
	".ico":   "image/x-icon",
	".js":    "text/javascript; charset=utf-8",
	".json":  "application/json",
	".png":   "image/png",
	".svg":   "image/svg+xml",
	".ttf":   "font/ttf",
	".txt":   "text/plain; charset=utf-8",
	".wasm":  "application/wasm",
	".woff":  "font/woff",
	".woff2": "font/woff2",
}

// hashed matches file names that change with their content, as the bundler makes them.
var hashed = regexp.MustCompile(`(?:^|[/.-])[0-9a-f]{16,}\.[a-z0-9]+$`)

// static serves a folder of the tree below a path of the base URL.
func (h *Handler) static(prefix, folder string) echo.HandlerFunc {
	return func(c echo.Context) error {
		name := below(c, prefix)
		if !fs.ValidPath(name) {
			return notFound("File", name)
		}
		return h.serve(c, folder+"/"+name)
	}
}

func (h *Handler) favicon(c echo.Context) error { return h.serve(c, uilab.Favicons+"/favicon.ico") }

func noStyles(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "public, max-age=3600")
	return c.Blob(http.StatusOK, types[".css"], nil)
}

// serve answers with one file of the tree, compressed if it was and the client takes it.
func (h *Handler) serve(c echo.Context, name string) error {
	kind := types[path.Ext(name)]
	if kind == "" {
		return notFound("File", name)
	}
	file, encoding, err := h.open(c.Request(), name)
	if err != nil {
		return notFound("File", name)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return notFound("File", name)
	}
	header := c.Response().Header()
	header.Set("Content-Type", kind)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Vary", "Accept-Encoding")
	// A tree never changes, so its name tells versions of any of its files apart.
	header.Set("ETag", `"`+h.tree.Name+encoding+`"`)
	header.Set("Cache-Control", "no-cache")
	if hashed.MatchString(name) {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if encoding != "" {
		header.Set("Content-Encoding", "gzip")
		header.Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	}
	http.ServeContent(c.Response(), c.Request(), name, info.ModTime(), file)
	return nil
}

// open opens the compressed twin of a file where there is one that the client takes. Ranges are always of the plain file.
func (h *Handler) open(r *http.Request, name string) (file *os.File, encoding string, err error) {
	if r.Header.Get("Range") == "" && takesGzip(r) {
		if file, err := h.tree.Root().Open(name + ".gz"); err == nil {
			return file, "-gzip", nil
		}
	}
	file, err = h.tree.Root().Open(name)
	return file, "", err
}

func takesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if coding != "gzip" && coding != "*" {
			continue
		}
		weight, has := strings.CutPrefix(strings.TrimSpace(params), "q=")
		q, err := strconv.ParseFloat(weight, 64)
		return !has || (err == nil && q > 0)
	}
	return false
}
