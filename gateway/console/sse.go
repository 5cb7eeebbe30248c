package console

import (
	"context"
	"net/http"
	"time"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/labstack/echo/v4"
)

const (
	pingEvery   = 15 * time.Second
	writeWithin = 30 * time.Second
)

// eventWriter writes a stream of server-sent events (HTML, section 9.2). It belongs to one goroutine.
type eventWriter struct {
	c  echo.Context
	rc *http.ResponseController
}

func newEventWriter(c echo.Context) *eventWriter {
	return &eventWriter{c: c, rc: http.NewResponseController(c.Response())}
}

// head begins the stream.
func (w *eventWriter) head() {
	h := w.c.Response().Header()
	h.Set(echo.HeaderContentType, "text/event-stream")
	h.Set(echo.HeaderCacheControl, "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy in front must not collect them
	w.c.Response().WriteHeader(http.StatusOK)
}

func (w *eventWriter) write(text string) error {
	_ = w.rc.SetWriteDeadline(time.Now().Add(writeWithin)) // where it cannot be set, the connection's own end must do
	if _, err := w.c.Response().Write([]byte(text)); err != nil {
		return err
	}
	return w.rc.Flush()
}

// ping shows both sides that the connection lives.
func (w *eventWriter) ping() error { return w.write(": ping\n\n") }

// close takes the deadline away: the connection may serve other requests.
func (w *eventWriter) close() { _ = w.rc.SetWriteDeadline(time.Time{}) }

// until is the request's context, ended too when the caller's rights end or the server stops.
func until(c echo.Context, who *door.Caller) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(c.Request().Context())
	unwatch := context.AfterFunc(who.Valid, cancel)
	undrain := context.AfterFunc(door.Draining(ctx), cancel)
	return ctx, func() {
		unwatch()
		undrain()
		cancel()
	}
}
