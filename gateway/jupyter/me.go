package jupyter

import (
	"encoding/json"
	"net/http"
	"strings"
	"unicode"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/projects"
	"github.com/labstack/echo/v4"
)

// identity is jupyter_server's user model.
type identity struct {
	Username    string  `json:"username"`
	Name        string  `json:"name"`
	DisplayName string  `json:"display_name"`
	Initials    string  `json:"initials"`
	AvatarURL   *string `json:"avatar_url"`
	Color       *string `json:"color"`
}

// me tells who is calling, and which of the permissions that were asked about are granted.
func (h *Handler) me(c echo.Context) error {
	asked := map[string][]string{}
	if q := c.QueryParam("permissions"); q != "" {
		if err := json.Unmarshal([]byte(q), &asked); err != nil {
			return problem.New(problem.Invalid, "permissions should be a JSON dict of {\"resource\": [\"action\",]}, got %q", q)
		}
	}
	caller := door.CallerOf(c)
	granted := map[string]any{"updatable_fields": []string{}}
	for resource, actions := range asked {
		allowed := []string{}
		for _, a := range actions {
			if projects.May(caller.Role, jupyterResource(resource), projects.Action(a)) {
				allowed = append(allowed, a)
			}
		}
		granted[resource] = allowed
	}
	name := caller.Name
	if name == "" {
		name = caller.User
	}
	return c.JSON(http.StatusOK, map[string]any{
		"identity":    identity{Username: caller.User, Name: name, DisplayName: name, Initials: initials(name)},
		"permissions": granted,
	})
}

// jupyterResource is our resource for one of jupyter_server's.
func jupyterResource(name string) projects.Resource {
	switch name {
	case "kernelspecs":
		return projects.ResKernels
	case "config":
		return projects.ResSettings
	case "api", "csp", "nbconvert":
		return projects.ResServer
	default:
		return projects.Resource(name)
	}
}

func initials(name string) string {
	var out []rune
	for word := range strings.FieldsSeq(name) {
		if r := []rune(word)[0]; len(out) < 2 {
			out = append(out, unicode.ToUpper(r))
		}
	}
	return string(out)
}
