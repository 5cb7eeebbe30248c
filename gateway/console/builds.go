package console

import (
	"net/http"
	"strconv"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/gateway/auth"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/labstack/echo/v4"
)

// buildOf is the number of the build that the path names.
func buildOf(c echo.Context) (int, error) {
	n, err := strconv.Atoi(c.Param("build"))
	if err != nil || n < 1 {
		return 0, problem.New(problem.NotFound, "environment %q has no build %q", c.Param("environment"), c.Param("build"))
	}
	return n, nil
}

func (a *API) listBuilds(c echo.Context) error {
	p, err := page(c)
	if err != nil {
		return err
	}
	all, err := a.envs.Builds(c.Request().Context(), c.Param("project"), c.Param("environment"))
	if err != nil {
		return err
	}
	return answer(c, cut(all, p, func(b envs.Build) string { return strconv.Itoa(b.Number) }))
}

func (a *API) startBuild(c echo.Context) error {
	var body struct {
		Revision int `json:"revision"`
	}
	if err := readJSON(c, &body); err != nil {
		return err
	}
	if body.Revision < 0 {
		return problem.New(problem.Invalid, "revision is a number from 1")
	}
	b, err := a.envs.Build(c.Request().Context(), auth.By(c), c.Param("project"), c.Param("environment"), body.Revision)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusAccepted, b)
}

func (a *API) showBuild(c echo.Context) error {
	n, err := buildOf(c)
	if err != nil {
		return err
	}
	b, err := a.envs.GetBuild(c.Request().Context(), c.Param("project"), c.Param("environment"), n)
	if err != nil {
		return err
	}
	return answer(c, b)
}

func (a *API) updateBuild(c echo.Context) error {
	n, err := buildOf(c)
	if err != nil {
		return err
	}
	var body struct {
		Pinned *bool `json:"pinned"`
	}
	if err := readJSON(c, &body); err != nil {
		return err
	}
	if body.Pinned == nil {
		return problem.New(problem.Invalid, "say whether the build is pinned: it is all that can be changed")
	}
	b, err := a.envs.Pin(c.Request().Context(), auth.By(c), c.Param("project"), c.Param("environment"), n, *body.Pinned)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, b)
}

func (a *API) deleteBuild(c echo.Context) error {
	n, err := buildOf(c)
	if err != nil {
		return err
	}
	if err := a.envs.DeleteBuild(c.Request().Context(), auth.By(c), c.Param("project"), c.Param("environment"), n); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (a *API) cancelBuild(c echo.Context) error {
	n, err := buildOf(c)
	if err != nil {
		return err
	}
	ctx, project, name := c.Request().Context(), c.Param("project"), c.Param("environment")
	if err := a.envs.Cancel(ctx, auth.By(c), project, name, n); err != nil {
		return err
	}
	b, err := a.envs.GetBuild(ctx, project, name, n)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusAccepted, b)
}

// diffBuilds says what differs from the build that the query names, or else the one in use, to the one of the path.
func (a *API) diffBuilds(c echo.Context) error {
	n, err := buildOf(c)
	if err != nil {
		return err
	}
	from, err := numberIn(c, "from")
	if err != nil {
		return err
	}
	d, err := a.envs.Diff(c.Request().Context(), c.Param("project"), c.Param("environment"), from, n)
	if err != nil {
		return err
	}
	return answer(c, d)
}

func (a *API) activate(c echo.Context) error {
	var body struct {
		Build  int    `json:"build"`
		Reason string `json:"reason"`
	}
	if err := readJSON(c, &body); err != nil {
		return err
	}
	if body.Build < 1 {
		return problem.New(problem.Invalid, "name the build to use: its number, from 1")
	}
	v, err := a.envs.Activate(c.Request().Context(), auth.By(c), c.Param("project"), c.Param("environment"), body.Build, body.Reason)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if v.Pending {
		status = http.StatusAccepted
	}
	return c.JSON(status, v)
}

func (a *API) listActivations(c echo.Context) error {
	p, err := page(c)
	if err != nil {
		return err
	}
	all, err := a.envs.History(c.Request().Context(), c.Param("project"), c.Param("environment"))
	if err != nil {
		return err
	}
	return answer(c, cut(all, p, func(v envs.Activation) string { return strconv.Itoa(v.Number) }))
}
