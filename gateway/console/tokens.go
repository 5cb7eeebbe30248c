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

// newTokenView is a token with its secret, which is shown this once.
type newTokenView struct {
	projects.Token
	Secret string `json:"token"`
}

func (a *API) listTokens(c echo.Context) error {
	p, err := page(c)
	if err != nil {
		return err
	}
	tokens, next, err := a.people.Tokens(c.Request().Context(), door.CallerOf(c).User, p)
	if err != nil {
		return err
	}
	return answerList(c, tokens, next)
}

func (a *API) createToken(c echo.Context) error {
	var body struct {
		Project string `json:"project"`
		TTL     string `json:"ttl"`
		Note    string `json:"note"`
	}
	if err := readJSON(c, &body); err != nil {
		return err
	}
	n := projects.NewToken{User: door.CallerOf(c).User, Project: body.Project, Note: body.Note}
	if body.TTL != "" {
		ttl, err := time.ParseDuration(body.TTL)
		if err != nil || ttl <= 0 {
			return problem.New(problem.Invalid, "ttl is a duration such as 90m or 720h")
		}
		n.TTL = ttl
	}
	t, secret, err := a.people.CreateToken(c.Request().Context(), auth.By(c), n)
	if err != nil {
		return err
	}
	return created(c, "/tokens/"+t.ID, newTokenView{t, secret})
}

func (a *API) revokeToken(c echo.Context) error {
	if err := a.people.RevokeToken(c.Request().Context(), auth.By(c), door.CallerOf(c).User, c.Param("id")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
