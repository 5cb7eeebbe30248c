// Package shape holds what all parts of the Jupyter door write alike: times, error bodies and the reading of JSON bodies.
package shape

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/labstack/echo/v4"
)

// Time is a time as Jupyter writes it: ISO 8601 in UTC with exactly six fractional digits and Z. Gateway clients parse it
// with a fixed pattern, so never fewer digits and never an offset.
type Time time.Time

const layout = "2006-01-02T15:04:05.000000Z"

// String gives the time as Jupyter writes it.
func (t Time) String() string { return time.Time(t).UTC().Format(layout) }

// MarshalJSON writes the time as a JSON string.
func (t Time) MarshalJSON() ([]byte, error) { return []byte(`"` + t.String() + `"`), nil }

// maxJSON is the largest body in bytes that is decoded as a whole. Files do not come this way, and nothing else is large.
const maxJSON = 4 << 20

// ReadJSON decodes the request's body, of at most 4 MiB, into v. An empty body leaves v alone; what is not JSON is
// Jupyter's own 400.
func ReadJSON(c echo.Context, v any) error {
	body := http.MaxBytesReader(c.Response(), c.Request().Body, maxJSON)
	err := json.NewDecoder(body).Decode(v)
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return nil
	case errors.As(err, &tooLarge):
		return problem.New(problem.TooLarge, "the body is larger than %d kB", tooLarge.Limit>>10)
	default:
		return problem.New(problem.Invalid, "Invalid JSON in body of request")
	}
}

// status is the HTTP status of a problem's code. Jupyter answers 403, not 401, to the unknown.
func status(code problem.Code) int {
	if code == problem.Unauthenticated {
		return http.StatusForbidden
	}
	return door.StatusOf(code)
}

// Error writes err as Jupyter does: {"message", "reason"}, and for a fault of ours only the id under which it was logged.
func Error(c echo.Context, err error, id string) error {
	var p *problem.Problem
	var he *echo.HTTPError
	switch {
	case errors.As(err, &p):
		var reason any
		if p.Reason != "" {
			reason = p.Reason
		}
		return c.JSON(status(p.Code), map[string]any{"message": p.Message, "reason": reason})
	case errors.As(err, &he):
		return c.JSON(he.Code, map[string]any{"message": http.StatusText(he.Code), "reason": nil})
	default:
		return c.JSON(http.StatusInternalServerError, map[string]any{"message": "Unhandled error (" + id + ")", "reason": nil, "traceback": ""})
	}
}
