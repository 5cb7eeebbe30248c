package console

import (
	"errors"
	"net/http"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/labstack/echo/v4"
)

// verdict is what a cause is in the words of the API and of HTTP.
type verdict struct {
	code   problem.Code
	status int
}

// verdicts say whose turn it is: 4xx where people can mend the request, the spec or the environment, 502 and 504 where a channel or
// an index did not do its part, 507 where room is missing, 503 where trying again may help. What is not here is a fault of ours.
var verdicts = map[driver.Cause]verdict{
	driver.SpecInvalid:        {problem.Invalid, http.StatusBadRequest},
	driver.PolicyDenied:       {problem.Denied, http.StatusForbidden},
	driver.PackageMissing:     {problem.Conflict, http.StatusConflict},
	driver.Unsatisfiable:      {problem.Conflict, http.StatusConflict},
	driver.ScriptFailed:       {problem.Conflict, http.StatusConflict},
	driver.SmokeFailed:        {problem.Conflict, http.StatusConflict},
	driver.Canceled:           {problem.Conflict, http.StatusConflict},
	driver.ChannelUnreachable: {problem.Unavailable, http.StatusBadGateway},
	driver.AuthFailed:         {problem.Unavailable, http.StatusBadGateway},
	driver.HashMismatch:       {problem.Unavailable, http.StatusBadGateway},
	driver.PackageBroken:      {problem.Unavailable, http.StatusBadGateway},
	driver.TimedOut:           {problem.Unavailable, http.StatusGatewayTimeout},
	driver.DiskFull:           {problem.NoSpace, http.StatusInsufficientStorage},
	driver.QuotaExceeded:      {problem.NoSpace, http.StatusInsufficientStorage},
	driver.OutOfMemory:        {problem.NoSpace, http.StatusInsufficientStorage},
	driver.WorkerLost:         {problem.Unavailable, http.StatusServiceUnavailable},
	driver.ToolFailed:         {problem.Internal, http.StatusInternalServerError},
}

func verdictOf(f *driver.Failure) verdict {
	if v, ok := verdicts[f.Cause]; ok {
		return v
	}
	return verdict{problem.Internal, http.StatusInternalServerError}
}

// explaining is for routes about environments: it says so where there are none, and knows their failures.
func (a *API) explaining(handle echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if a.envs == nil {
			return problem.New(problem.Unsupported, "this gateway keeps no environments")
		}
		return explained(handle(c))
	}
}

// explained makes a problem of a failure that is none of ours, so that nobody takes it for a fault.
func explained(err error) error {
	if mistake, ok := errors.AsType[*spec.Error](err); ok {
		err = &driver.Failure{
			Cause: driver.SpecInvalid, Message: mistake.Error(), Package: mistake.Package, Near: mistake.Near,
			Line: mistake.Line, Column: mistake.Col, Err: err,
		}
	}
	f, ok := errors.AsType[*driver.Failure](err)
	if !ok || problem.CodeOf(err) != problem.Internal || verdictOf(f).code == problem.Internal {
		return err
	}
	return problem.New(verdictOf(f).code, "%w", f)
}
