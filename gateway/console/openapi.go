package console

import (
	_ "embed"
	"net/http"

	"github.com/labstack/echo/v4"
)

// The description of the API. It is written by hand; a test compares it with the routes.
//
//go:embed openapi.json
var openAPI []byte

func (a *API) openAPI(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderCacheControl, "no-cache")
	return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, openAPI)
}
