package auth

import (
	"encoding/base64"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/labstack/echo/v4"
)

// Cookie is the name of the cookie that a browser session is kept in.
const Cookie = "hopyard_session"

// credential is a secret that a request carries, and how.
type credential struct {
	secret string
	source source
}

type source uint8

const (
	fromHeader source = iota
	fromURL
	fromCookie
)

// credentials yields what the request carries, the most deliberate first.
func credentials(req *http.Request) iter.Seq[credential] {
	return func(yield func(credential) bool) {
		if token := parseAuthorization(req.Header.Get(echo.HeaderAuthorization)); token != "" && !yield(credential{token, fromHeader}) {
			return
		}
		if token := door.URLToken(req.Context()); token != "" && !yield(credential{token, fromURL}) {
			return
		}
		if cookie, err := req.Cookie(Cookie); err == nil && cookie.Value != "" {
			yield(credential{cookie.Value, fromCookie})
		}
	}
}

// parseAuthorization takes the token out of an Authorization header: after Bearer or token, or as the password of basic
// authentication, which is all that some clients can send. Anything else is empty.
func parseAuthorization(header string) string {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
	rest = strings.TrimSpace(rest)
	switch strings.ToLower(scheme) {
	case "bearer", "token":
		return rest
	case "basic":
		plain, err := base64.StdEncoding.DecodeString(rest)
		if err != nil {
			return ""
		}
		_, password, _ := strings.Cut(string(plain), ":")
		return password
	default:
		return ""
	}
}

// TakeURLToken takes the token out of a request's URL and puts it where Identify finds it, before anything can log the URL
// or hand it on. It must be the first that sees a request. Two forms are known: the parameter "token", and a path below
// /t/TOKEN, for the client that can be given nothing but the base of its websocket addresses.
func TakeURLToken(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		u := *req.URL
		var token string
		if inPath, path, ok := cutPathToken(u.EscapedPath()); ok {
			plain, err := url.PathUnescape(path)
			if err != nil {
				http.Error(w, "bad path", http.StatusBadRequest)
				return
			}
			token, u.Path, u.RawPath = inPath, plain, path
		}
		if inQuery, query, ok := cutQueryToken(u.RawQuery); ok {
			token, u.RawQuery = inQuery, query
		}
		if u != *req.URL {
			clean := req.WithContext(door.WithURLToken(req.Context(), token))
			clean.URL, clean.RequestURI = &u, u.RequestURI()
			req = clean
		}
		next.ServeHTTP(w, req)
	})
}

// cutPathToken splits /t/TOKEN/rest.
func cutPathToken(path string) (token, rest string, ok bool) {
	after, ok := strings.CutPrefix(path, "/t/")
	if !ok {
		return "", path, false
	}
	token, rest, _ = strings.Cut(after, "/")
	return token, "/" + rest, true
}

// cutQueryToken takes every parameter called token out of a query, however it is escaped, and leaves the rest as it is: a
// bare number that only keeps caches away, for one. The first value wins.
func cutQueryToken(query string) (token, rest string, ok bool) {
	if !strings.Contains(query, "=") {
		return "", query, false
	}
	var kept []string
	for part := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(part, "=")
		if name, err := url.QueryUnescape(key); err != nil || name != "token" {
			kept = append(kept, part)
			continue
		}
		if plain, err := url.QueryUnescape(value); err == nil && token == "" {
			token = plain
		}
		ok = true
	}
	if !ok {
		return "", query, false
	}
	return token, strings.Join(kept, "&"), true
}
