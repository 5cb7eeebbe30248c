package auth

import (
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/labstack/echo/v4"
)

// linkPath is where one-time links lead.
const linkPath = "/login/link/"

// LinkPath is the path that logs somebody in with a one-time code.
func LinkPath(code string) string { return linkPath + code }

//go:embed pages
var files embed.FS

var pages = template.Must(template.ParseFS(files, "pages/*.html"))

// pagePolicy lets the login pages show their style and post their form, and nothing else.
const pagePolicy = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// maxForm is the largest login form in bytes.
const maxForm = 16 << 10

// page is what the pages show.
type page struct {
	Title   string
	Message string // what went wrong, or nothing
	User    string
	Next    string
}

// Door is the door of the login pages. They work without the console and without script.
func (g *Gate) Door() door.Door {
	const why = "whoever logs in is not logged in yet"
	return door.Door{
		Name: "login",
		Routes: []door.Route{
			{Method: http.MethodGet, Path: "/login", Handle: g.showLogin, Public: why},
			{Method: http.MethodPost, Path: "/login", Handle: g.logIn, Public: why},
			{Method: http.MethodGet, Path: linkPath + ":code", Handle: g.useLink, Public: why},
			{Method: http.MethodHead, Path: linkPath + ":code", Handle: lookAtLink, Public: "must not use the link up"},
			{Method: http.MethodGet, Path: "/login/style.css", Handle: style, Public: "a style sheet"},
			{Method: http.MethodGet, Path: "/logout", Handle: g.showLogout, Public: "asks before it logs out"},
			{Method: http.MethodPost, Path: "/logout", Handle: g.logOut, Public: "logging out twice is no error"},
		},
		Error: Error,
	}
}

// ToLogin sends somebody unknown to the login page and then back. It is the Login of doors whose pages people open.
func ToLogin(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	back := c.Request().URL.RequestURI()
	return c.Redirect(http.StatusFound, "/login?next="+url.QueryEscape(back))
}

// Error shows err as a page.
func Error(c echo.Context, err error, id string) error {
	status, message := http.StatusInternalServerError, "Something went wrong here. The log has it under "+id+"."
	if p := problemOf(err); p != nil {
		status, message = door.StatusOf(p.Code), sentence(p.Message)
	}
	return show(c, status, "message.html", page{Title: http.StatusText(status), Message: message})
}

func (g *Gate) showLogin(c echo.Context) error {
	next := door.LocalPath(c.QueryParam("next"))
	// Somebody who came with the token of one project must still be able to log in as themselves.
	if who, err := g.Identify(c, ""); err == nil && who.Limit == "" {
		return c.Redirect(http.StatusSeeOther, next)
	}
	return show(c, http.StatusOK, "login.html", page{Title: "Log in", Next: next})
}

func (g *Gate) logIn(c echo.Context) error {
	req := c.Request()
	req.Body = http.MaxBytesReader(c.Response(), req.Body, maxForm)
	if err := req.ParseForm(); err != nil {
		return problem.New(problem.Invalid, "the form could not be read: %w", err)
	}
	user, next := strings.TrimSpace(req.PostForm.Get("user")), door.LocalPath(req.PostForm.Get("next"))
	login, err := g.people.LogIn(req.Context(), user, req.PostForm.Get("password"), c.RealIP())
	if p := problemOf(err); p != nil {
		return show(c, door.StatusOf(p.Code), "login.html", page{Title: "Log in", Message: sentence(p.Message), User: user, Next: next})
	}
	if err != nil {
		return err
	}
	StartSession(c, login)
	return c.Redirect(http.StatusSeeOther, next)
}

// useLink logs in by a one-time link. Browsers that only look ahead are told nothing, and the link lives on.
func (g *Gate) useLink(c echo.Context) error {
	if strings.Contains(c.Request().Header.Get("Sec-Purpose"), "prefetch") {
		return lookAtLink(c)
	}
	login, err := g.people.UseLink(c.Request().Context(), c.Param("code"), c.RealIP())
	if err != nil {
		return err
	}
	StartSession(c, login)
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return c.Redirect(http.StatusSeeOther, "/")
}

func lookAtLink(c echo.Context) error { return c.NoContent(http.StatusNoContent) }

func (g *Gate) showLogout(c echo.Context) error {
	return show(c, http.StatusOK, "logout.html", page{Title: "Log out"})
}

func (g *Gate) logOut(c echo.Context) error {
	if cookie, err := c.Cookie(Cookie); err == nil {
		if err := g.people.LogOut(c.Request().Context(), cookie.Value, c.RealIP()); err != nil {
			return err
		}
	}
	dropCookie(c)
	return c.Redirect(http.StatusSeeOther, "/login")
}

func style(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderCacheControl, "public, max-age=3600")
	css, err := files.ReadFile("pages/style.css")
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "text/css; charset=utf-8", css)
}

func show(c echo.Context, status int, name string, p page) error {
	h := c.Response().Header()
	h.Set(echo.HeaderContentSecurityPolicy, pagePolicy)
	h.Set(echo.HeaderCacheControl, "no-store")
	h.Set(echo.HeaderContentType, echo.MIMETextHTMLCharsetUTF8)
	c.Response().WriteHeader(status)
	return pages.ExecuteTemplate(c.Response(), name, p)
}
