package console

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/projects"
	"github.com/hopyard/hopyard/workloads"
	"github.com/labstack/echo/v4"
)

func (a *API) listWorkloads(c echo.Context) error {
	p, err := page(c)
	if err != nil {
		return err
	}
	infos, err := a.runs.List(c.Request().Context(), c.Param("project"))
	if err != nil {
		return err
	}
	return answer(c, cut(infos, p, func(w workloads.Info) string { return w.ID }))
}

func (a *API) showWorkload(c echo.Context) error {
	w, err := a.runs.Get(c.Request().Context(), c.Param("project"), c.Param("id"))
	if err != nil {
		return err
	}
	return answer(c, w)
}

// stopWorkload stops the caller's own workload, or anybody's for those who may.
func (a *API) stopWorkload(c echo.Context) error {
	ctx, who := c.Request().Context(), door.CallerOf(c)
	w, err := a.runs.Get(ctx, who.Project, c.Param("id"))
	if err != nil {
		return err
	}
	if w.Owner != who.User && !projects.May(who.Role, projects.ResWorkloads, projects.ActWrite) {
		return problem.New(problem.Denied, "this belongs to %s; a data owner may stop it", w.Owner)
	}
	if err := a.runs.Stop(ctx, who.Project, w.ID, who.User); err != nil {
		return err
	}
	if c.Request().Method == http.MethodDelete {
		return c.NoContent(http.StatusNoContent)
	}
	return c.NoContent(http.StatusAccepted)
}

// stopAllOf ends what somebody runs in a project, or everywhere where project is empty, once they have no place there: also
// when the caller does not wait for it.
func (a *API) stopAllOf(ctx context.Context, project, owner, by string) error {
	ctx = context.WithoutCancel(ctx)
	infos, err := a.runs.List(ctx, project)
	if err != nil {
		return err
	}
	errs := make([]error, len(infos))
	var stops sync.WaitGroup
	for i, w := range infos {
		if w.Owner != owner {
			continue
		}
		stops.Go(func() {
			if err := a.runs.Stop(ctx, w.Project, w.ID, by); !problem.Is(err, problem.NotFound) {
				errs[i] = err
			}
		})
	}
	stops.Wait()
	return errors.Join(errs...)
}
