package files

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
	"mime"
	"net/http"
	"os"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels/contents"
	"github.com/labstack/echo/v4"
)

// userBytes is something that people made, to be served as it is.
type userBytes struct {
	name     string // file name, for a download
	mimetype string
	etag     string // empty: none
	modified time.Time
	download bool
	content  io.ReadSeeker
}

// sandbox gives what is served an origin of its own. It must never allow allow-same-origin: with that, a script in a file could use
// the API as whoever opened the file.
const sandbox = "frame-ancestors 'self'; sandbox allow-scripts allow-forms allow-popups allow-modals allow-downloads"

// programs are what a browser says it wants to run, in a page of ours or as a worker on our origin (Fetch, request
// destination). The sandbox does not reach there: a script belongs to the page that loads it.
var programs = map[string]bool{
	"script": true, "worker": true, "sharedworker": true, "serviceworker": true,
	"audioworklet": true, "paintworklet": true, "xslt": true,
}

// serveUserBytes is the only way in which bytes that people made leave this door as anything but JSON. It answers ranges and conditions.
func serveUserBytes(c echo.Context, b userBytes) error {
	if programs[c.Request().Header.Get("Sec-Fetch-Dest")] {
		return problem.New(problem.Denied, "files of a project are not run by the pages here")
	}
	header := c.Response().Header()
	header.Set(echo.HeaderContentSecurityPolicy, sandbox)
	header.Set(echo.HeaderXContentTypeOptions, "nosniff")
	header.Set(echo.HeaderCacheControl, "private, no-cache")
	header.Set(echo.HeaderContentType, b.mimetype)
	if b.etag != "" {
		header.Set("ETag", b.etag)
	}
	if b.download {
		header.Set(echo.HeaderContentDisposition, attachment(b.name))
	}
	http.ServeContent(c.Response(), c.Request(), "", b.modified, b.content)
	return nil
}

func attachment(name string) string {
	if v := mime.FormatMediaType("attachment", map[string]string{"filename": name}); v != "" {
		return v
	}
	return "attachment"
}

// file serves a file as it is.
func (h *Handler) file(c echo.Context) error {
	p, err := tail(c)
	if err != nil {
		return err
	}
	f, info, err := h.store.Open(door.CallerOf(c).Project, p)
	if err != nil {
		return err
	}
	defer f.Close()
	name := path.Base(p)
	return serveUserBytes(c, userBytes{
		name: name, mimetype: contentType(name, f), modified: info.ModTime(), content: f,
		etag:     fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size()),
		download: c.QueryParam("download") != "" || strings.HasSuffix(name, ".ipynb"),
	})
}

// contentType tells what a file is by its name or, where that says nothing, whether it is text.
func contentType(name string, f *os.File) string {
	t := contents.Mimetype(name)
	switch {
	case strings.HasSuffix(strings.ToLower(name), ".ipynb"):
		return "application/x-ipynb+json"
	case contents.Encoded(name) && strings.HasSuffix(strings.ToLower(name), ".gz"):
		return "application/gzip"
	case contents.Encoded(name):
		return echo.MIMEOctetStream
	case t == "" && !looksLikeText(f):
		return echo.MIMEOctetStream
	case t == "":
		t = "text/plain"
	}
	if strings.HasPrefix(t, "text/") {
		t += "; charset=UTF-8"
	}
	return t
}

func looksLikeText(f *os.File) bool {
	head := make([]byte, 512)
	n, _ := f.ReadAt(head, 0)
	head = head[:n]
	for i := 0; i < utf8.UTFMax && len(head) > 0 && !utf8.Valid(head); i++ { // the last character may be cut
		head = head[:len(head)-1]
	}
	return utf8.Valid(head) && !bytes.ContainsRune(head, 0)
}

var viewPage = template.Must(template.New("view").Parse(`<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1.0">
<title>{{.Name}}</title>
<style>html, body, iframe { height: 100%; width: 100%; margin: 0; border: 0; overflow: hidden; display: block; }</style>
</head>
<body><iframe sandbox="allow-scripts" src="{{.URL}}" title="{{.Name}}"></iframe></body>
</html>
`))

// view shows a file in a frame of its own origin.
func (h *Handler) view(c echo.Context) error {
	p, err := tail(c)
	if err != nil {
		return err
	}
	if p = strings.Trim(p, "/"); !h.store.IsFile(door.CallerOf(c).Project, p) {
		return problem.New(problem.NotFound, "File does not exist: %s", p)
	}
	c.Response().Header().Set(echo.HeaderContentSecurityPolicy, "frame-ancestors 'self'; default-src 'none'; frame-src 'self'; style-src 'unsafe-inline'")
	var page bytes.Buffer
	data := struct{ Name, URL string }{path.Base(p), door.WithQuery(c, base(c, "/view/")+"/files/"+escape(p))}
	if err := viewPage.Execute(&page, data); err != nil {
		return err
	}
	return c.HTMLBlob(http.StatusOK, page.Bytes())
}
