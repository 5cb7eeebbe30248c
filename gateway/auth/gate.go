// Package auth finds out who makes a request, and lets people log in.
package auth

import (
	"net/http"
	"time"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/projects"
	"github.com/labstack/echo/v4"
)

// Gate knows callers by their token or browser session, and serves the login pages. It is safe for concurrent use.
type Gate struct {
	people *projects.Service
}

// New makes a Gate for the people of a site.
func New(people *projects.Service) *Gate { return &Gate{people: people} }

// Identify implements door.Gate: the first credential of the request that is valid counts. One that is valid but has no
// business in project answers for the request, so that a second one cannot widen it.
func (g *Gate) Identify(c echo.Context, project string) (*door.Caller, error) {
	err := error(problem.New(problem.Unauthenticated, "log in, or send a valid token"))
	for cred := range credentials(c.Request()) {
		var grant *projects.Grant
		grant, err = g.people.Authenticate(c.Request().Context(), cred.secret, project)
		if problem.Is(err, problem.Unauthenticated) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !fits(cred.source, grant) {
			err = problem.New(problem.Unauthenticated, "log in, or send a valid token")
			continue
		}
		if cred.source == fromURL {
			g.keepInBrowser(c, cred.secret, grant)
		}
		return caller(grant, cred.source), nil
	}
	return nil, err
}

// fits keeps browser sessions in their cookie: in a header or a URL they would escape the cross-origin checks.
func fits(from source, grant *projects.Grant) bool { return from == fromCookie || grant.Token }

func caller(grant *projects.Grant, from source) *door.Caller {
	return &door.Caller{
		User: grant.User, Name: grant.Name, Role: grant.Role, Admin: grant.Admin,
		Project: grant.Project, Limit: grant.Limit,
		Token: from != fromCookie, Credential: grant.Credential, Valid: grant.Valid,
	}
}

// keepInBrowser makes a page that was opened with ?token= work on: the requests that the page makes itself carry no token,
// so that it goes into the cookie, and with all its limits. A browser that is logged in already stays who it is.
func (g *Gate) keepInBrowser(c echo.Context, token string, grant *projects.Grant) {
	req := c.Request()
	if req.Method != http.MethodGet || !door.AcceptsHTML(req) {
		return
	}
	if old, err := req.Cookie(Cookie); err == nil {
		if _, err := g.people.Authenticate(req.Context(), old.Value, ""); err == nil {
			return
		}
	}
	setCookie(c, token, time.Time{})
}

// setCookie keeps a secret in the browser until expires, or until the browser ends where that is zero.
func setCookie(c echo.Context, secret string, expires time.Time) {
	http.SetCookie(c.Response(), &http.Cookie{
		Name: Cookie, Value: secret, Path: "/", Expires: expires,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: overTLS(c.Request()),
	})
}

func dropCookie(c echo.Context) {
	http.SetCookie(c.Response(), &http.Cookie{
		Name: Cookie, Path: "/", MaxAge: -1,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: overTLS(c.Request()),
	})
}

// overTLS reports whether the browser came by https, here or at a proxy in front. To lie about it costs the liar alone:
// the browser would not send the cookie back.
func overTLS(req *http.Request) bool {
	return req.TLS != nil || req.Header.Get(echo.HeaderXForwardedProto) == "https"
}

// Origin is the scheme and host that the request was sent to, as its sender knows them.
func Origin(req *http.Request) string {
	if overTLS(req) {
		return "https://" + req.Host
	}
	return "http://" + req.Host
}

// StartSession keeps a new login in the caller's browser.
func StartSession(c echo.Context, l projects.Login) { setCookie(c, l.Secret, l.Expires) }

// By says who makes the request, for the audit log.
func By(c echo.Context) projects.By {
	by := projects.By{Remote: c.RealIP()}
	if who := door.CallerOf(c); who != nil {
		by.User = who.User
	}
	return by
}

var _ door.Gate = (*Gate)(nil)
