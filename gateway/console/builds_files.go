package console

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/gateway/auth"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/labstack/echo/v4"
)

// export is a form in which a build can be had.
type export struct {
	mime string
	file string // what follows the environment's name and the build's number
}

// Forms besides those of locks: the spec as people wrote it, and our own lock, which has everything.
const (
	formSpec lock.Format = "spec"
	formLock lock.Format = "lock"
)

// exports are all forms. The names are those that tools know their files by: micromamba wants -lock.yml.
var exports = map[lock.Format]export{
	formSpec:          {"application/yaml", "-environment.yml"},
	formLock:          {echo.MIMEApplicationJSON, "-lock.json"},
	lock.Explicit:     {"text/plain; charset=utf-8", "-explicit.txt"},
	lock.CondaLock:    {"application/yaml", "-conda-lock.yml"},
	lock.Requirements: {"text/plain; charset=utf-8", "-requirements.txt"},
	lock.Environment:  {"application/yaml", "-pinned.yml"},
	lock.CycloneDX:    {"application/vnd.cyclonedx+json", ".cdx.json"},
}

func (a *API) exportBuild(c echo.Context) error {
	n, err := buildOf(c)
	if err != nil {
		return err
	}
	format := lock.Format(c.QueryParam("format"))
	form, ok := exports[format]
	if !ok {
		names := make([]string, 0, len(exports))
		for name := range exports {
			names = append(names, string(name))
		}
		slices.Sort(names)
		return problem.New(problem.Invalid, "format is one of %s", strings.Join(names, ", "))
	}
	project, name := c.Param("project"), c.Param("environment")
	text, err := a.exported(c.Request().Context(), project, name, n, format)
	if err != nil {
		return err
	}
	offer(c, fmt.Sprintf("%s-%d%s", name, n, form.file))
	return c.Blob(http.StatusOK, form.mime, text)
}

// exported writes a build in a form.
func (a *API) exported(ctx context.Context, project, name string, n int, format lock.Format) ([]byte, error) {
	if format == formSpec {
		b, err := a.envs.GetBuild(ctx, project, name, n)
		if err != nil {
			return nil, err
		}
		r, err := a.envs.Spec(ctx, project, name, b.Revision)
		return []byte(r.Text), err
	}
	l, err := a.envs.Lock(ctx, project, name, n)
	if err != nil {
		return nil, err
	}
	if format == formLock {
		return l.Encode()
	}
	return l.Export(format, name)
}

// offer makes browsers save the answer as a file.
func offer(c echo.Context, file string) {
	h := c.Response().Header()
	h.Set(echo.HeaderContentDisposition, mime.FormatMediaType("attachment", map[string]string{"filename": file}))
	h.Set(echo.HeaderCacheControl, "private, no-cache")
}

func (a *API) showArchive(c echo.Context) error {
	n, err := buildOf(c)
	if err != nil {
		return err
	}
	v, err := a.envs.GetArchive(c.Request().Context(), c.Param("project"), c.Param("environment"), n)
	if err != nil {
		return err
	}
	return answer(c, v)
}

func (a *API) makeArchive(c echo.Context) error {
	n, err := buildOf(c)
	if err != nil {
		return err
	}
	v, err := a.envs.Archive(c.Request().Context(), auth.By(c), c.Param("project"), c.Param("environment"), n)
	if err != nil {
		return err
	}
	if v.State == envs.ArchiveReady {
		return c.JSON(http.StatusOK, v)
	}
	return c.JSON(http.StatusAccepted, v)
}

// downloadArchive sends the packed build, or the part of it that the client still lacks.
func (a *API) downloadArchive(c echo.Context) error {
	n, err := buildOf(c)
	if err != nil {
		return err
	}
	name := c.Param("environment")
	v, err := a.envs.GetArchive(c.Request().Context(), c.Param("project"), name, n)
	if err != nil {
		return err
	}
	if v.State != envs.ArchiveReady {
		return problem.New(problem.Conflict, "build %d of %s is not packed yet; its archive is %s", n, name, v.State)
	}
	f, err := os.Open(v.Path)
	if err != nil {
		return fmt.Errorf("archive of build %d: %w", n, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("archive of build %d: %w", n, err)
	}
	offer(c, fmt.Sprintf("%s-%d.tar.gz", name, n))
	h := c.Response().Header()
	h.Set("ETag", `"`+v.SHA256+`"`)
	h.Set(echo.HeaderContentType, "application/gzip")
	http.ServeContent(c.Response(), c.Request(), "", info.ModTime(), f)
	return nil
}
