package gateway

import (
	"net/http"
	"strings"

	"github.com/hopyard/hopyard/gateway/auth"
	"github.com/hopyard/hopyard/gateway/console"
	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/projects"
	"github.com/labstack/echo/v4"
)

// siteError answers for paths of no door: a page for people, JSON for programs.
func siteError(c echo.Context, err error, id string) error {
	if door.AcceptsHTML(c.Request()) {
		return auth.Error(c, err, id)
	}
	return console.Error(c, err, id)
}

// pages is the door of the console's pages: whoever is not logged in is sent to log in. What the pages are made of is the
// same for everybody.
func pages(h http.Handler) door.Door {
	const why = "parts of the page, the same for everybody"
	serve := echo.WrapHandler(h)
	d := door.Door{Name: "pages", Error: siteError, Login: auth.ToLogin}
	for _, path := range []string{"/", "/projects", "/projects/*", "/users"} {
		d.Routes = append(d.Routes, door.Route{
			Method: http.MethodGet, Path: path, Handle: serve, Page: true, Resource: projects.ResServer, Action: projects.ActRead,
		})
	}
	for _, path := range []string{"/assets/*", "/favicon.ico", "/favicon.svg", "/robots.txt"} {
		d.Routes = append(d.Routes, door.Route{Method: http.MethodGet, Path: path, Handle: serve, Public: why})
	}
	return d
}

// homes lead from the addresses that people guess to those where something is.
func homes() door.Door {
	to := func(format string) echo.HandlerFunc {
		return func(c echo.Context) error {
			who := door.CallerOf(c)
			return c.Redirect(http.StatusFound, door.WithQuery(c, strings.ReplaceAll(format, "{project}", who.Project)))
		}
	}
	d := door.Door{Name: "homes", Base: "/p/:project", Error: siteError, Login: auth.ToLogin}
	for path, handle := range map[string]echo.HandlerFunc{
		"":               to("/projects/{project}"),
		"/jupyter":       to("/p/{project}/jupyter/lab"),
		"/jupyter/login": to("/p/{project}/jupyter/lab"),
	} {
		d.Routes = append(d.Routes, door.Route{
			Method: http.MethodGet, Path: path, Handle: handle, Page: true, Resource: projects.ResServer, Action: projects.ActRead,
		})
	}
	d.Routes = append(d.Routes, door.Route{
		Method: http.MethodGet, Path: "/jupyter/logout", // the only way out that JupyterLab's menu knows
		Handle: func(c echo.Context) error { return c.Redirect(http.StatusFound, "/logout") },
		Public: "leads to the page that asks",
	})
	return d
}
