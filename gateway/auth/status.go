package auth

import (
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/labstack/echo/v4"
)

// problemOf finds what a person may read of err, or nothing.
func problemOf(err error) *problem.Problem {
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return p
	}
	if he, ok := errors.AsType[*echo.HTTPError](err); ok && he.Code < http.StatusInternalServerError {
		return problem.New(problem.Invalid, "%s", http.StatusText(he.Code))
	}
	return nil
}

// sentence makes a problem's message look like one.
func sentence(message string) string {
	first, size := utf8.DecodeRuneInString(message)
	return string(unicode.ToUpper(first)) + strings.TrimSuffix(message[size:], ".") + "."
}
