package door

import (
	"net/http"

	"github.com/hopyard/hopyard/internal/problem"
)

// statuses maps the codes of problems to those of HTTP, for doors whose protocol has no opinion of its own.
var statuses = map[problem.Code]int{
	problem.Invalid:         http.StatusBadRequest,
	problem.Unauthenticated: http.StatusUnauthorized,
	problem.Denied:          http.StatusForbidden,
	problem.NotFound:        http.StatusNotFound,
	problem.Conflict:        http.StatusConflict,
	problem.Gone:            http.StatusGone,
	problem.TooLarge:        http.StatusRequestEntityTooLarge,
	problem.TooMany:         http.StatusTooManyRequests,
	problem.NoSpace:         http.StatusInsufficientStorage,
	problem.Unsupported:     http.StatusNotImplemented,
	problem.Unavailable:     http.StatusServiceUnavailable,
	problem.Internal:        http.StatusInternalServerError,
}

// StatusOf is the HTTP status of a problem's code.
func StatusOf(code problem.Code) int { return statuses[code] }
