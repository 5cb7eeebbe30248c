package door

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/projects"
	"github.com/labstack/echo/v4"
)

// Gate finds out who makes a request. It is safe for concurrent use.
type Gate interface {
	// Identify says who makes the request and in which role in project, or on the site where project is empty: a
	// problem.Unauthenticated if nobody we know, a problem.NotFound if the project is none of theirs.
	Identify(c echo.Context, project string) (*Caller, error)
}

// Registrar puts doors on an echo: every route asks the Gate and the policy before its handler runs.
type Registrar struct {
	echo    *echo.Echo
	gate    Gate
	log     *slog.Logger
	origins *http.CrossOriginProtection
	doors   []*Door
	taken   map[string]bool
}

// NewRegistrar prepares e: it gets the security headers, request ids, and an error handler that answers in the shape of
// the door whose path was asked for. fallback is the shape of all other paths.
func NewRegistrar(e *echo.Echo, gate Gate, log *slog.Logger, fallback func(echo.Context, error, string) error) *Registrar {
	r := &Registrar{
		echo: e, gate: gate, log: log, origins: http.NewCrossOriginProtection(), taken: map[string]bool{},
		doors: []*Door{{Name: "site", Error: fallback}},
	}
	e.Use(secured)
	e.HTTPErrorHandler = r.unmatched
	return r
}

// Add registers a door. It panics on what is a mistake of ours: a route that says neither what it needs nor why it is
// public, a permission that the policy gives to nobody, or a path that is taken.
func (r *Registrar) Add(d Door) {
	if d.Error == nil {
		panic("door " + d.Name + " has no Error")
	}
	r.doors = append(r.doors, &d)
	for _, route := range d.Routes {
		check(&d, route)
		r.add(&d, route, route.Method)
		if route.Method == http.MethodGet && !d.has(http.MethodHead, route.Path) {
			r.add(&d, route, http.MethodHead)
		}
	}
}

func (r *Registrar) add(d *Door, route Route, method string) {
	name := method + " " + d.Base + route.Path
	if r.taken[name] {
		panic("two routes for " + name)
	}
	r.taken[name] = true
	r.echo.Add(method, d.Base+route.Path, func(c echo.Context) error {
		if err := r.serve(c, d, &route); err != nil {
			return r.fail(c, d, err)
		}
		return nil
	})
}

func (d *Door) has(method, path string) bool {
	for _, route := range d.Routes {
		if route.Method == method && route.Path == path {
			return true
		}
	}
	return false
}

func check(d *Door, route Route) {
	at := fmt.Sprintf("door %s: route %s %s%s", d.Name, route.Method, d.Base, route.Path)
	switch {
	case route.Handle == nil:
		panic(at + " has no handler")
	case route.Public != "" && (route.Resource != "" || route.Action != ""):
		panic(at + " is public and needs a permission")
	case route.Public == "" && (route.Resource == "" || route.Action == ""):
		panic(at + " declares no permission and is not public")
	case route.Public == "" && !projects.Granted(route.Resource, route.Action):
		panic(fmt.Sprintf("%s needs %s %s, which the policy gives to nobody", at, route.Resource, route.Action))
	}
}

// serve decides whether the request may reach the handler, and lets it.
func (r *Registrar) serve(c echo.Context, d *Door, route *Route) (err error) {
	defer recovered(&err)
	if route.Public != "" {
		if !safe(c.Request().Method) && r.foreign(c.Request()) {
			return d.refuseForeign(c.Request())
		}
		return route.Handle(c)
	}
	who, err := r.gate.Identify(c, c.Param("project"))
	if err != nil {
		if problem.Is(err, problem.Unauthenticated) && d.Login != nil && asksForPage(c.Request(), route) {
			return d.Login(c)
		}
		return err
	}
	if !who.Token && r.foreign(c.Request()) {
		return d.refuseForeign(c.Request())
	}
	if !projects.May(who.Role, route.Resource, route.Action) {
		return deny(who)
	}
	WithCaller(c, who)
	return route.Handle(c)
}

// deny says no. A steward learns of a project's administration only, so that everything else is not there for them.
func deny(who *Caller) error {
	if who.Role == projects.Steward {
		return problem.New(problem.NotFound, "there is no project %q, or you are not a member of it", who.Project)
	}
	if who.Limit != "" {
		return problem.New(problem.Denied, "this token works in project %q only", who.Limit)
	}
	if who.Project == "" {
		return problem.New(problem.Denied, "your role does not allow this")
	}
	return problem.New(problem.Denied, "your role does not allow this: ask a data owner of project %q", who.Project)
}

// recovered turns a panic of a handler into an error, so that it costs one request only.
func recovered(err *error) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler { //nolint:errorlint // it is compared the way net/http does
		panic(v)
	}
	*err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
}

// fail logs a fault once and answers in the door's shape.
func (r *Registrar) fail(c echo.Context, d *Door, err error) error {
	id := RequestID(c)
	if isFault(err) && c.Request().Context().Err() == nil {
		r.log.ErrorContext(c.Request().Context(), "request failed", "id", id, "door", d.Name,
			"method", c.Request().Method, "route", c.Path(), "err", err)
	}
	if c.Response().Committed {
		return nil
	}
	if problem.Is(err, problem.Unauthenticated) {
		c.Response().Header().Set("WWW-Authenticate", `Bearer realm="hopyard"`)
	}
	return d.Error(c, explain(err), id)
}

// isFault reports whether err is ours, rather than something about the request.
func isFault(err error) bool {
	if he, ok := errors.AsType[*echo.HTTPError](err); ok {
		return he.Code >= http.StatusInternalServerError
	}
	return problem.CodeOf(err) == problem.Internal
}

// unmatched answers what no route takes. A path with a slash too many is sent to the one without.
func (r *Registrar) unmatched(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	req := c.Request()
	he, ok := errors.AsType[*echo.HTTPError](err)
	if ok && he.Code == http.StatusNotFound {
		if to := withoutSlash(req.URL.EscapedPath()); to != "" && safe(req.Method) {
			err = c.Redirect(http.StatusFound, WithQuery(c, to))
			if err == nil {
				return
			}
		}
		err = problem.New(problem.NotFound, "there is nothing here")
	}
	if err := r.fail(c, r.doorOf(req.URL.Path), err); err != nil {
		r.log.ErrorContext(req.Context(), "answering an error", "id", RequestID(c), "err", err)
	}
}

// withoutSlash gives path without the slashes at its end, or nothing if there are none or it could lead to another site.
func withoutSlash(path string) string {
	to := strings.TrimRight(path, "/")
	if to == path || LocalPath(to) != to {
		return ""
	}
	return to
}

// doorOf finds the door with the longest base that path lies below.
func (r *Registrar) doorOf(path string) *Door {
	best := r.doors[0]
	for _, d := range r.doors[1:] {
		if len(d.Base) > len(best.Base) && below(path, d.Base) {
			best = d
		}
	}
	return best
}

func below(path, base string) bool {
	have, want := strings.Split(path, "/"), strings.Split(base, "/")
	if len(have) < len(want) {
		return false
	}
	for i, w := range want {
		if w != have[i] && !strings.HasPrefix(w, ":") {
			return false
		}
	}
	return true
}
