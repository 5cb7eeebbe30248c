package files

import (
	"bytes"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels/contents/nbconvert"
	"github.com/hopyard/hopyard/kernels/contents/nbformat"
	"github.com/labstack/echo/v4"
)

// formats lists what notebooks can be exported to.
func (h *Handler) formats(c echo.Context) error {
	list, err := h.convert.Formats(c.Request().Context(), door.CallerOf(c).Project)
	// Lab asks whenever it opens a notebook: that an environment cannot export is an empty menu, not an error.
	if err != nil && !problem.Is(err, problem.Unavailable) {
		return err
	}
	all := map[string]map[string]string{}
	for _, f := range list {
		all[f.Name] = map[string]string{"output_mimetype": f.Mimetype}
	}
	return c.JSON(http.StatusOK, all)
}

// convertFile exports a notebook of the project. Anything else is sent to the file itself.
func (h *Handler) convertFile(c echo.Context) error {
	p, err := tail(c)
	if err != nil {
		return err
	}
	who := door.CallerOf(c)
	f, info, err := h.store.Open(who.Project, p)
	if err != nil {
		return err
	}
	defer f.Close()
	if p = strings.Trim(p, "/"); !strings.HasSuffix(p, ".ipynb") {
		return c.Redirect(http.StatusFound, door.WithQuery(c, base(c, "/nbconvert/")+"/files/"+escape(p)))
	}
	return h.serveConverted(c, nbconvert.Request{
		Name: path.Base(p), Notebook: f, Sanitize: c.QueryParam("sanitize_html") == "true",
	}, info.ModTime())
}

// convertBody exports the notebook in the request's body.
func (h *Handler) convertBody(c echo.Context) error {
	body, err := h.body(c)
	if err != nil {
		return err
	}
	defer body.Close()
	m, err := parseModel(body.Bytes())
	if err != nil {
		return err
	}
	nb := m.Get("content")
	if err := nbformat.Check(nb); err != nil {
		return problem.New(problem.Invalid, "the content cannot be converted: %w", err)
	}
	var file bytes.Buffer
	if err := nbformat.Save(&file, nb); err != nil {
		return err
	}
	return h.serveConverted(c, nbconvert.Request{Name: m.Get("name").Text(), Notebook: &file}, time.Time{})
}

func (h *Handler) serveConverted(c echo.Context, req nbconvert.Request, modified time.Time) error {
	who := door.CallerOf(c)
	req.Project, req.User, req.Format = who.Project, who.User, c.Param("format")
	result, err := h.convert.Convert(c.Request().Context(), req)
	if err != nil {
		return err
	}
	mimetype := result.Mimetype
	if strings.HasPrefix(mimetype, "text/") {
		mimetype += "; charset=utf-8"
	}
	return serveUserBytes(c, userBytes{
		name: result.Name, mimetype: mimetype, modified: modified, content: bytes.NewReader(result.Data),
		download: c.QueryParam("download") == "true" || c.QueryParam("download") == "1" || result.Mimetype == "application/zip",
	})
}
