package jupyter

import (
	"context"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/agent/journal"
	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/gateway/jupyter/shape"
	"github.com/hopyard/hopyard/kernels"
	"github.com/hopyard/hopyard/projects"
	"github.com/labstack/echo/v4"
)

func (h *Handler) terminalRoutes() []door.Route {
	terminal := func(method, path string, action projects.Action, handle echo.HandlerFunc) door.Route {
		return door.Route{Method: method, Path: path, Resource: projects.ResTerminals, Action: action, Handle: handle}
	}
	return []door.Route{
		terminal(http.MethodGet, "/api/terminals", projects.ActRead, h.listTerminals),
		terminal(http.MethodPost, "/api/terminals", projects.ActWrite, h.startTerminal),
		terminal(http.MethodGet, "/api/terminals/:name", projects.ActRead, h.getTerminal),
		terminal(http.MethodDelete, "/api/terminals/:name", projects.ActWrite, h.stopTerminal),
		terminal(http.MethodGet, "/terminals/websocket/:name", projects.ActExecute, h.terminal),
	}
}

// terminalModel is jupyter_server_terminals' model.
type terminalModel struct {
	Name         string     `json:"name"`
	LastActivity shape.Time `json:"last_activity"`
}

func terminalOf(t kernels.Terminal) terminalModel {
	return terminalModel{Name: t.Name, LastActivity: shape.Time(t.LastActivity)}
}

func (h *Handler) listTerminals(c echo.Context) error {
	all, err := h.cfg.Kernels.Terminals(c.Request().Context(), who(c))
	if err != nil {
		return err
	}
	out := make([]terminalModel, len(all))
	for i, t := range all {
		out[i] = terminalOf(t)
	}
	return c.JSON(http.StatusOK, out)
}

func (h *Handler) startTerminal(c echo.Context) error {
	var body struct {
		Name string `json:"name"`
		CWD  string `json:"cwd"`
	}
	if err := shape.ReadJSON(c, &body); err != nil {
		return err
	}
	t, err := h.cfg.Kernels.StartTerminal(c.Request().Context(), who(c), body.Name, body.CWD)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, terminalOf(t)) // 200, not 201: so does jupyter_server
}

func (h *Handler) getTerminal(c echo.Context) error {
	t, err := h.cfg.Kernels.Terminal(c.Request().Context(), who(c), c.Param("name"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, terminalOf(t))
}

func (h *Handler) stopTerminal(c echo.Context) error {
	if err := h.cfg.Kernels.StopTerminal(c.Request().Context(), who(c), c.Param("name")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// terminal opens a terminal's websocket (terminado's protocol): "setup" first, then what the shell wrote before, then what
// it writes; "disconnect" when the shell has ended.
func (h *Handler) terminal(c echo.Context) error {
	name := c.Param("name")
	if _, err := h.cfg.Kernels.Terminal(c.Request().Context(), who(c), name); err != nil {
		return err
	}
	ws, err := door.Upgrade(c, door.UpgradeOptions{})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), attachLimit)
	defer cancel()
	conn, err := h.cfg.Kernels.AttachTerminal(ctx, who(c), name, nil)
	if err != nil {
		h.cfg.Log.WarnContext(ctx, "terminal websocket", "terminal", name, "error", err)
		closeWith(ws, websocket.CloseInternalServerErr, "the terminal cannot be reached")
		return nil
	}
	listen(ws)
	go readTerminal(ws, conn)
	go pumpTerminal(ws, conn)
	return nil
}

// closeWith tells a client that reads on why it has to go, behind what is being written to it, and closes its websocket.
func closeWith(ws *websocket.Conn, code int, text string) {
	if say(ws, code, text) == nil {
		if b, ok := door.BatchOf(ws); ok {
			b.Settle()
		}
	}
	_ = ws.Close()
}

// say writes a close frame, unless the client takes none.
func say(ws *websocket.Conn, code int, text string) error {
	return ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, text), time.Now().Add(250*time.Millisecond))
}

// listen gives the client up when it does not answer pings for too long.
func listen(ws *websocket.Conn) {
	alive := func() { _ = ws.SetReadDeadline(time.Now().Add(silence)) }
	alive()
	ws.SetPongHandler(func(string) error { alive(); return nil })
	var beat func()
	beat = func() {
		if ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) == nil {
			time.AfterFunc(pingEvery, beat)
		}
	}
	time.AfterFunc(pingEvery, beat)
}

func readTerminal(ws *websocket.Conn, conn *agent.Conn) {
	defer conn.Close()
	for {
		_, body, err := ws.ReadMessage()
		if err != nil || conn.Input(body) != nil {
			return
		}
	}
}

// pumpTerminal writes what the shell says. When the shell has ended, the client is told not to come back.
func pumpTerminal(ws *websocket.Conn, conn *agent.Conn) {
	defer conn.Close()
	write := func(b []byte) error {
		_ = ws.SetWriteDeadline(time.Now().Add(stalled))
		return ws.WriteMessage(websocket.TextMessage, b)
	}
	err := write([]byte(`["setup", {}]`))
	for err == nil {
		ev, buf, nerr := conn.Next(readBuffer)
		if nerr != nil {
			_ = write([]byte(`["disconnect", 1]`))
			closeWith(ws, websocket.CloseNormalClosure, "the terminal has ended")
			return
		}
		for b := ev.Records; len(b) > 0 && err == nil; {
			var r journal.Record
			if r, b, err = journal.Decode(b); err == nil {
				err = write(r.Body)
			}
		}
		if cap(buf) > 0 && cap(buf) <= 1<<20 {
			readBuffers.Put(buf[:0]) //nolint:staticcheck // a slice header is small against what it saves
		}
	}
	_ = ws.Close()
}
