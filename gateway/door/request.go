package door

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/labstack/echo/v4"
)

// secured gives every answer an id and the headers that a door may only tighten.
func secured(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set(echo.HeaderXRequestID, newRequestID())
		h.Set(echo.HeaderXContentTypeOptions, "nosniff")
		// With no-referrer browsers would send "Origin: null" with our own forms, which looks foreign.
		h.Set(echo.HeaderReferrerPolicy, "same-origin")
		h.Set(echo.HeaderContentSecurityPolicy, "frame-ancestors 'self'")
		return next(c)
	}
}

func newRequestID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// RequestID is the id under which faults of this request are logged.
func RequestID(c echo.Context) string { return c.Response().Header().Get(echo.HeaderXRequestID) }

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// foreign reports whether a page of another origin makes the request. Reading is held to the rule for writing, because
// answers are private, and a script or style of ours could be read by a page of another port; following a link is not.
func (r *Registrar) foreign(req *http.Request) bool {
	if safe(req.Method) && req.Header.Get("Sec-Fetch-Mode") == "navigate" && req.Header.Get("Sec-Fetch-Dest") == "document" {
		return false
	}
	return r.origins.Check(asPost(req)) != nil
}

// asPost is req as cross-origin protection must see it: to it, a GET is harmless.
func asPost(req *http.Request) *http.Request {
	return &http.Request{Method: http.MethodPost, Header: req.Header, Host: req.Host, URL: req.URL}
}

func (d *Door) refuseForeign(req *http.Request) error {
	code := d.Foreign
	if code == "" || isHandshake(req) {
		code = problem.Denied
	}
	return problem.New(code, "a page of another origin may not ask for this")
}

// isHandshake reports whether the request wants to become a websocket.
func isHandshake(req *http.Request) bool {
	return strings.EqualFold(req.Header.Get("Upgrade"), "websocket")
}

// asksForPage reports whether a person in front of a browser waits for the answer.
func asksForPage(req *http.Request, route *Route) bool {
	if isHandshake(req) || (req.Method != http.MethodGet && req.Method != http.MethodHead) {
		return false
	}
	return route.Page || AcceptsHTML(req)
}

// AcceptsHTML reports whether the request names HTML among what it accepts, as browsers do when a person opens a page.
func AcceptsHTML(req *http.Request) bool {
	return strings.Contains(req.Header.Get(echo.HeaderAccept), echo.MIMETextHTML)
}

// LocalPath returns path, with its query, if following it stays on this site, and "/" otherwise: it begins with one
// slash, and nothing in it makes a browser read a host.
func LocalPath(path string) string {
	if len(path) > 2048 || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return "/"
	}
	if strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f || r == '\ufffd' }) {
		return "/"
	}
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil {
		return "/"
	}
	return path
}

type tokenKey struct{}

// WithURLToken puts a token that was taken off the request's URL into its context.
func WithURLToken(ctx context.Context, token string) context.Context {
	return context.WithValue(ctx, tokenKey{}, token)
}

// URLToken is the token that was taken off the request's URL, or empty.
func URLToken(ctx context.Context) string {
	token, _ := ctx.Value(tokenKey{}).(string)
	return token
}

// WithQuery gives path the query of the request, also the token that was taken off it: for a redirect on this site, whose
// client has sent both itself.
func WithQuery(c echo.Context, path string) string {
	query := c.Request().URL.RawQuery
	if token := URLToken(c.Request().Context()); token != "" {
		query = strings.TrimPrefix(query+"&token="+url.QueryEscape(token), "&")
	}
	if query == "" {
		return path
	}
	return path + "?" + query
}
