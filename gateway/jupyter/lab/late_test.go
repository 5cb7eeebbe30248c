package lab_test

import (
	"net/http/httptest"
	"testing"

	"github.com/hopyard/hopyard/gateway/jupyter/lab"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/labstack/echo/v4"
)

func TestLateRoutesSayWhyUntilThereIsAHandler(t *testing.T) {
	t.Parallel()
	var late lab.Late
	ask := func() error {
		for _, route := range late.Routes() {
			if route.Path == "/custom/custom.css" {
				return route.Handle(echo.New().NewContext(httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()))
			}
		}
		t.Fatal("there is no route for custom.css")
		return nil
	}
	if err := ask(); !problem.Is(err, problem.Unavailable) {
		t.Errorf("before anything was said = %v, want problem.Unavailable", err)
	}
	why := problem.New(problem.Unavailable, "downloading, 3 of 8")
	late.Explain(why)
	if err := ask(); err != error(why) { //nolint:errorlint // the very same
		t.Errorf("before the Handler = %v, want %v", err, why)
	}
	late.Set(new(lab.Handler))
	if err := ask(); err != nil {
		t.Errorf("with a Handler = %v, want its answer", err)
	}
}
