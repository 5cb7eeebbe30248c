package console

import (
	"net/http"
	"time"

	"github.com/hopyard/hopyard/gateway/auth"
	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/projects"
	"github.com/labstack/echo/v4"
)

// meView is who makes the request.
type meView struct {
	User     string                `json:"user"`
	Name     string                `json:"name"`
	Admin    bool                  `json:"admin"`
	Projects []projects.Membership `json:"projects"`
}

// nameView is what everybody may know of a user.
type nameView struct {
	Name        string `json:"name"`
	DisplayName string `json:"display_name"`
}

type versionView struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
}

type linkView struct {
	URL     string    `json:"url"`
	Expires time.Time `json:"expires"`
}

func (a *API) showVersion(c echo.Context) error { return answer(c, a.version) }

func (a *API) me(c echo.Context) error {
	who := door.CallerOf(c)
	memberships, err := a.people.ProjectsOf(c.Request().Context(), who.User)
	if err != nil {
		return err
	}
	v := meView{User: who.User, Name: who.Name, Admin: who.Admin, Projects: []projects.Membership{}}
	for _, m := range memberships {
		if who.Limit == "" || who.Limit == m.Project {
			v.Projects = append(v.Projects, m)
		}
	}
	return answer(c, v)
}

func (a *API) listUsers(c echo.Context) error {
	p, err := page(c)
	if err != nil {
		return err
	}
	users, next, err := a.people.Users(c.Request().Context(), p)
	if err != nil {
		return err
	}
	if door.CallerOf(c).Admin {
		return answerList(c, users, next)
	}
	names := make([]nameView, len(users))
	for i, u := range users {
		names[i] = nameView{u.Name, u.DisplayName}
	}
	return answerList(c, names, next)
}

func (a *API) createUser(c echo.Context) error {
	var body struct {
		Name        string `json:"name"`
		DisplayName string `json:"display_name"`
		Password    string `json:"password"`
	}
	if err := readJSON(c, &body); err != nil {
		return err
	}
	u, err := a.people.CreateUser(c.Request().Context(), auth.By(c),
		projects.NewUser{Name: body.Name, DisplayName: body.DisplayName, Password: body.Password})
	if err != nil {
		return err
	}
	return created(c, "/users/"+u.Name, u)
}

func (a *API) showUser(c echo.Context) error {
	u, err := a.people.User(c.Request().Context(), c.Param("user"))
	if err != nil {
		return err
	}
	if door.CallerOf(c).Admin {
		return answer(c, u)
	}
	return answer(c, nameView{u.Name, u.DisplayName})
}

// selfOrAdmin returns a problem unless the request is about the caller's own account or an administrator's.
func selfOrAdmin(c echo.Context) (user string, err error) {
	who := door.CallerOf(c)
	if user = c.Param("user"); user != who.User && !who.Admin {
		return "", problem.New(problem.Denied, "only an administrator may change somebody else's account")
	}
	return user, nil
}

func (a *API) updateUser(c echo.Context) error {
	user, err := selfOrAdmin(c)
	if err != nil {
		return err
	}
	var body struct {
		DisplayName *string `json:"display_name"`
		Admin       *bool   `json:"admin"`
		Disabled    *bool   `json:"disabled"`
	}
	if err := readJSON(c, &body); err != nil {
		return err
	}
	if (body.Admin != nil || body.Disabled != nil) && !door.CallerOf(c).Admin {
		return problem.New(problem.Denied, "only an administrator may make administrators and disable accounts")
	}
	u, err := a.people.UpdateUser(c.Request().Context(), auth.By(c), user,
		projects.UserPatch{DisplayName: body.DisplayName, Admin: body.Admin, Disabled: body.Disabled})
	if err != nil {
		return err
	}
	if u.Disabled {
		if err := a.stopAllOf(c.Request().Context(), "", user, door.CallerOf(c).User); err != nil {
			return err
		}
	}
	return c.JSON(http.StatusOK, u)
}

func (a *API) deleteUser(c echo.Context) error {
	ctx, user := c.Request().Context(), c.Param("user")
	if err := a.people.DeleteUser(ctx, auth.By(c), user); err != nil {
		return err
	}
	if err := a.stopAllOf(ctx, "", user, door.CallerOf(c).User); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// setPassword ends the browser sessions of the user. Whoever changed their own in a browser gets a new one at once.
func (a *API) setPassword(c echo.Context) error {
	user, err := selfOrAdmin(c)
	if err != nil {
		return err
	}
	var body struct {
		Password string  `json:"password"`
		Current  *string `json:"current"`
	}
	if err := readJSON(c, &body); err != nil {
		return err
	}
	who := door.CallerOf(c)
	if body.Current == nil && !who.Admin {
		body.Current = new(string)
	}
	if err := a.people.SetPassword(c.Request().Context(), auth.By(c), user, body.Password, body.Current); err != nil {
		return err
	}
	if user == who.User && !who.Token {
		login, err := a.people.Renew(c.Request().Context(), auth.By(c))
		if err != nil {
			return err
		}
		auth.StartSession(c, login)
	}
	return c.NoContent(http.StatusNoContent)
}

func (a *API) createLink(c echo.Context) error {
	user, err := selfOrAdmin(c)
	if err != nil {
		return err
	}
	code, expires, err := a.people.CreateLink(c.Request().Context(), auth.By(c), user)
	if err != nil {
		return err
	}
	return created(c, "", linkView{URL: auth.Origin(c.Request()) + auth.LinkPath(code), Expires: expires})
}
