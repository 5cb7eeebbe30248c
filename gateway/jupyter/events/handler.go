package events

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/gateway/jupyter/shape"
	"github.com/hopyard/hopyard/projects"
	"github.com/labstack/echo/v4"
)

// Handler serves the bus to Jupyter clients.
type Handler struct {
	bus *Bus
}

// NewHandler makes a Handler.
func NewHandler(bus *Bus) *Handler { return &Handler{bus} }

// Routes gives the routes, below a project's Jupyter base.
func (h *Handler) Routes() []door.Route {
	return []door.Route{
		{Method: http.MethodPost, Path: "/api/events", Resource: projects.ResServer, Action: projects.ActExecute, Handle: h.post},
		{Method: http.MethodGet, Path: "/api/events/subscribe", Resource: projects.ResServer, Action: projects.ActExecute, Handle: h.subscribe},
	}
}

// maxEvent is the largest event in bytes that a client may post.
const maxEvent = 64 << 10

func (h *Handler) post(c echo.Context) error {
	c.Request().Body = http.MaxBytesReader(c.Response(), c.Request().Body, maxEvent)
	var p posted
	if err := shape.ReadJSON(c, &p); err != nil {
		return err
	}
	e, err := p.event()
	if err != nil {
		return err
	}
	h.bus.Publish(door.CallerOf(c).Project, e)
	return c.NoContent(http.StatusNoContent)
}

// How a connection is kept and found dead, as in jupyter_server.
const (
	pingEvery  = 30 * time.Second
	deadAfter  = 90 * time.Second
	writeLimit = 10 * time.Second
)

func (h *Handler) subscribe(c echo.Context) error {
	sub := h.bus.Subscribe(door.CallerOf(c).Project)
	defer sub.Close()
	ws, err := door.Upgrade(c, door.UpgradeOptions{MaxMessage: maxEvent})
	if err != nil {
		return err
	}
	// The request's own context does not end with a hijacked connection: the reader does.
	ctx, gone := context.WithCancel(context.WithoutCancel(c.Request().Context()))
	var both sync.WaitGroup
	both.Go(func() {
		defer gone()
		drain(ws)
	})
	both.Go(func() { ping(ctx, ws) })
	send(ctx, ws, sub)
	_ = ws.Close()
	both.Wait()
	return nil
}

// drain reads and forgets what the client says until it is gone, so that pongs are seen.
func drain(ws *websocket.Conn) {
	alive := func(string) error { return ws.SetReadDeadline(time.Now().Add(deadAfter)) }
	ws.SetPongHandler(alive)
	_ = alive("")
	for {
		_, r, err := ws.NextReader()
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, r)
	}
}

// ping asks the client for a sign of life until it is gone.
func ping(ctx context.Context, ws *websocket.Conn) {
	every := time.NewTicker(pingEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			_ = ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeLimit))
		}
	}
}

// send writes events until the client is gone.
func send(ctx context.Context, ws *websocket.Conn, sub *Subscription) {
	for {
		frame, err := sub.Next(ctx)
		if err != nil {
			return
		}
		_ = ws.SetWriteDeadline(time.Now().Add(writeLimit))
		if ws.WriteMessage(websocket.TextMessage, frame) != nil {
			return
		}
	}
}
