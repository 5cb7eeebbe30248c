package console

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/hopyard/hopyard/gateway/auth"
	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/projects"
	"github.com/hopyard/hopyard/workloads"
	"github.com/labstack/echo/v4"
)

// projectView is a project as the caller sees it.
type projectView struct {
	projects.Project
	Role         projects.Role `json:"role"`    // empty for an administrator who is no member
	Running      int           `json:"running"` // workloads that have not ended
	LastActivity time.Time     `json:"last_activity,omitzero"`
}

func (a *API) viewProject(ctx context.Context, p projects.Project, role projects.Role) (projectView, error) {
	v := projectView{Project: p}
	if role.Member() {
		v.Role = role
	}
	infos, err := a.runs.List(ctx, p.Name)
	for _, w := range infos {
		if w.State != workloads.Ended {
			v.Running++
		}
		if w.LastActivity.After(v.LastActivity) {
			v.LastActivity = w.LastActivity
		}
	}
	return v, err
}

// listProjects lists the caller's projects; an administrator's list has all, those of others without a role.
func (a *API) listProjects(c echo.Context) error {
	p, err := page(c)
	if err != nil {
		return err
	}
	ctx, who := c.Request().Context(), door.CallerOf(c)
	memberships, err := a.people.ProjectsOf(ctx, who.User)
	if err != nil {
		return err
	}
	if who.Admin {
		return a.listAllProjects(c, p, memberships)
	}
	part := cut(memberships, p, func(m projects.Membership) string { return m.Project })
	views := make([]projectView, 0, len(part.Items))
	for _, m := range part.Items {
		of, err := a.people.Project(ctx, m.Project)
		if problem.Is(err, problem.NotFound) { // removed meanwhile
			continue
		}
		if err != nil {
			return err
		}
		v, err := a.viewProject(ctx, of, m.Role)
		if err != nil {
			return err
		}
		views = append(views, v)
	}
	return answerList(c, views, part.Next)
}

func (a *API) listAllProjects(c echo.Context, p projects.Page, memberships []projects.Membership) error {
	ctx := c.Request().Context()
	all, next, err := a.people.Projects(ctx, p)
	if err != nil {
		return err
	}
	roles := map[string]projects.Role{}
	for _, m := range memberships {
		roles[m.Project] = m.Role
	}
	views := make([]projectView, len(all))
	for i, of := range all {
		if views[i], err = a.viewProject(ctx, of, roles[of.Name]); err != nil {
			return err
		}
	}
	return answerList(c, views, next)
}

func (a *API) createProject(c echo.Context) error {
	var body struct {
		Name        string `json:"name"`
		Description string `json:"description"`
	}
	if err := readJSON(c, &body); err != nil {
		return err
	}
	ctx := c.Request().Context()
	p, err := a.people.CreateProject(ctx, auth.By(c), body.Name, body.Description, door.CallerOf(c).User)
	if err != nil {
		return err
	}
	return created(c, "/projects/"+p.Name, projectView{Project: p, Role: projects.DataOwner})
}

func (a *API) showProject(c echo.Context) error {
	ctx := c.Request().Context()
	p, err := a.people.Project(ctx, c.Param("project"))
	if err != nil {
		return err
	}
	v, err := a.viewProject(ctx, p, door.CallerOf(c).Role)
	if err != nil {
		return err
	}
	return answer(c, v)
}

func (a *API) updateProject(c echo.Context) error {
	var body struct {
		Description string `json:"description"`
	}
	if err := readJSON(c, &body); err != nil {
		return err
	}
	ctx := c.Request().Context()
	p, err := a.people.DescribeProject(ctx, auth.By(c), c.Param("project"), body.Description)
	if err != nil {
		return err
	}
	v, err := a.viewProject(ctx, p, door.CallerOf(c).Role)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

func (a *API) deleteProject(c echo.Context) error {
	ctx, project := c.Request().Context(), c.Param("project")
	if a.envs != nil {
		if err := a.envs.EndStandbys(ctx, project); err != nil { // no work of anybody's is in them
			return err
		}
	}
	v, err := a.viewProject(ctx, projects.Project{Name: project}, "")
	if err != nil {
		return err
	}
	if v.Running > 0 {
		return problem.New(problem.Conflict, "%d workloads run in project %q; stop them first", v.Running, project)
	}
	if err := a.people.DeleteProject(ctx, auth.By(c), project); err != nil {
		return err
	}
	if err := a.discard(ctx, project); err != nil {
		return fmt.Errorf("project %s is gone, but not all of its data: %w", project, err)
	}
	return c.NoContent(http.StatusNoContent)
}

func (a *API) listMembers(c echo.Context) error {
	p, err := page(c)
	if err != nil {
		return err
	}
	members, next, err := a.people.Members(c.Request().Context(), c.Param("project"), p)
	if err != nil {
		return err
	}
	return answerList(c, members, next)
}

func (a *API) setMember(c echo.Context) error {
	var body struct {
		Role projects.Role `json:"role"`
	}
	if err := readJSON(c, &body); err != nil {
		return err
	}
	m, err := a.people.SetMember(c.Request().Context(), auth.By(c), c.Param("project"), c.Param("user"), body.Role)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, m)
}

// removeMember lets everybody leave, and those who may change members remove others.
func (a *API) removeMember(c echo.Context) error {
	who, user := door.CallerOf(c), c.Param("user")
	if user != who.User && !projects.May(who.Role, projects.ResMembers, projects.ActWrite) {
		return problem.New(problem.Denied, "only a data owner may remove somebody else")
	}
	ctx, project := c.Request().Context(), c.Param("project")
	if err := a.people.RemoveMember(ctx, auth.By(c), project, user); err != nil {
		return err
	}
	if err := a.stopAllOf(ctx, project, user, who.User); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// listAudit shows a project's log, or the whole site's.
func (a *API) listAudit(c echo.Context) error {
	p, err := page(c)
	if err != nil {
		return err
	}
	entries, next, err := a.people.Audit(c.Request().Context(), c.Param("project"), p)
	if err != nil {
		return err
	}
	return answerList(c, entries, next)
}
