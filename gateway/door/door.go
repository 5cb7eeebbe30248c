// Package door holds what all the gateway's doors share: how a route declares who may use it, who is calling, and the one
// function that upgrades to a websocket.
package door

import (
	"context"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/projects"
	"github.com/labstack/echo/v4"
)

// Route is one method and path with the permission it needs. A route without Resource and Action, and not Public, cannot
// be registered.
type Route struct {
	Method   string
	Path     string // echo's path syntax, below the door's base
	Resource projects.Resource
	Action   projects.Action
	Handle   echo.HandlerFunc
	// Public says why the route needs no login, in words; empty means that it needs one. Behind it there is no Caller.
	Public string
	// Page says that people open the route with a browser: whoever is not logged in is sent to the Door's Login, whatever
	// the request accepts.
	Page bool
}

// Door is a family of routes below one base path that answers errors in one shape.
type Door struct {
	Name string
	// Base is the path below which Routes live. A route with ":project" in its whole path needs a role in that project,
	// any other one a role on the site.
	Base   string
	Routes []Route
	// Error writes err in the door's own shape. It is called once per failed request; faults have been logged under id.
	Error func(c echo.Context, err error, id string) error
	// Login, when set, answers a page request of somebody unknown, usually with a redirect to the login page: a GET of a
	// Page route or one that accepts HTML. Other requests get an Unauthenticated problem through Error.
	Login func(c echo.Context) error
	// Foreign is the code of the problem that another origin's request made with our cookie gets; empty means Denied.
	// Websockets get Denied always.
	Foreign problem.Code
}

// Caller is who makes a request, found from the login alone, never from the request's body.
type Caller struct {
	User    string
	Name    string        // display name
	Role    projects.Role // in the project of the request, or on the site
	Admin   bool          // site administrator
	Project string        // empty outside projects
	// Limit is the one project that the credential works in; empty means wherever its user may.
	Limit string
	// Token says that the request carried a token, not a cookie; cross-origin checks do not apply to it.
	Token bool
	// Credential is the id of the token or browser session used, safe to log.
	Credential string
	// Valid is done as soon as the credential or the membership is revoked. Long-lived connections end with it.
	Valid context.Context
}

type callerKey struct{}

// WithCaller puts who is calling into the request's context.
func WithCaller(c echo.Context, who *Caller) {
	r := c.Request()
	c.SetRequest(r.WithContext(context.WithValue(r.Context(), callerKey{}, who)))
}

// CallerOf tells who is calling. It is never nil behind a route that is not Public.
func CallerOf(c echo.Context) *Caller {
	who, _ := c.Request().Context().Value(callerKey{}).(*Caller)
	return who
}
