package console

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/gateway/auth"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/labstack/echo/v4"
)

// revisionTag is the ETag of a spec: people may write it by hand.
func revisionTag(number int) string { return `"r` + strconv.Itoa(number) + `"` }

func (a *API) showSpec(c echo.Context) error {
	number, err := numberIn(c, "revision")
	if err != nil {
		return err
	}
	r, err := a.envs.Spec(c.Request().Context(), c.Param("project"), c.Param("environment"), number)
	if err != nil {
		return err
	}
	e, err := encode(r)
	if err != nil {
		return err
	}
	e.tag = revisionTag(r.Number)
	return e.answer(c)
}

// newSpec is what people send to change a spec, as JSON or as the file itself.
type newSpec struct {
	Text    string `json:"text"`
	Message string `json:"message"`
	Build   bool   `json:"build"`
}

func (a *API) setSpec(c echo.Context) error {
	body, err := readSpec(c)
	if err != nil {
		return err
	}
	onlyIf, err := ifRevision(c)
	if err != nil {
		return err
	}
	r, b, err := a.envs.SetSpec(c.Request().Context(), auth.By(c), c.Param("project"), c.Param("environment"), body.Text, body.Message, onlyIf, body.Build)
	if err != nil {
		return err
	}
	c.Response().Header().Set("ETag", revisionTag(r.Number))
	return c.JSON(http.StatusOK, struct {
		Revision envs.Revision `json:"revision"`
		Build    *envs.Build   `json:"build,omitempty"`
	}{r, b})
}

// readSpec reads a spec from a body of JSON, or of YAML with the rest in the query.
func readSpec(c echo.Context) (newSpec, error) {
	var body newSpec
	kind, _, _ := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType))
	switch kind {
	case "text/yaml", "application/yaml", "text/x-yaml", "application/x-yaml":
	default:
		return body, readJSON(c, &body)
	}
	text, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return body, problem.New(problem.TooLarge, "the body is larger than %d MiB", maxBody>>20)
	}
	if err != nil {
		return body, problem.New(problem.Invalid, "the body broke off: %w", err)
	}
	body.Text, body.Message = string(text), c.QueryParam("message")
	switch c.QueryParam("build") {
	case "", "false", "0":
	case "true", "1":
		body.Build = true
	default:
		return body, problem.New(problem.Invalid, "build is true or false")
	}
	return body, nil
}

// ifRevision reads If-Match: the revision that the client's text was made from, 0 where it does not care.
func ifRevision(c echo.Context) (int, error) {
	header := strings.TrimSpace(c.Request().Header.Get("If-Match"))
	if header == "" || header == "*" {
		return 0, nil
	}
	tag := strings.Trim(strings.TrimPrefix(header, "W/"), `"`)
	number, err := strconv.Atoi(strings.TrimPrefix(tag, "r"))
	if err != nil || number < 1 || !strings.HasPrefix(tag, "r") {
		return 0, problem.New(problem.Conflict, "the spec has no revision %s; read it again", header)
	}
	return number, nil
}

func (a *API) listRevisions(c echo.Context) error {
	p, err := page(c)
	if err != nil {
		return err
	}
	all, err := a.envs.Revisions(c.Request().Context(), c.Param("project"), c.Param("environment"))
	if err != nil {
		return err
	}
	return answer(c, cut(all, p, func(r envs.Revision) string { return strconv.Itoa(r.Number) }))
}

func (a *API) editPackages(c echo.Context) error {
	var body struct {
		spec.Edit
		Message string `json:"message"`
	}
	if err := readJSON(c, &body); err != nil {
		return err
	}
	if len(body.Add)+len(body.Remove)+len(body.Upgrade) == 0 {
		return problem.New(problem.Invalid, "name packages to add, to remove or to upgrade")
	}
	b, err := a.envs.Edit(c.Request().Context(), auth.By(c), c.Param("project"), c.Param("environment"), body.Edit, body.Message)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusAccepted, b)
}

func (a *API) solve(c echo.Context) error {
	var body struct {
		spec.Edit
		Text *string `json:"text"`
	}
	if err := readJSON(c, &body); err != nil {
		return err
	}
	try := envs.Try{By: auth.By(c), Text: body.Text}
	if len(body.Add)+len(body.Remove)+len(body.Upgrade) > 0 {
		if body.Text != nil {
			return problem.New(problem.Invalid, "send either a text or a change to the newest one")
		}
		try.Edit = &body.Edit
	}
	solution, err := a.envs.Solve(c.Request().Context(), c.Param("project"), c.Param("environment"), try)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, solution)
}

// numberIn reads a number from the query; 0 where it is not given.
func numberIn(c echo.Context, name string) (int, error) {
	text := c.QueryParam(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, problem.New(problem.Invalid, "%s is a number from 1", name)
	}
	return n, nil
}
