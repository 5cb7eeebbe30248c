package jupyter

import (
	"errors"
	"net/http"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/gateway/jupyter/shape"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels"
	"github.com/hopyard/hopyard/projects"
	"github.com/labstack/echo/v4"
)

func (h *Handler) sessionRoutes() []door.Route {
	session := func(method, path string, action projects.Action, handle echo.HandlerFunc) door.Route {
		return door.Route{Method: method, Path: path, Resource: projects.ResSessions, Action: action, Handle: handle}
	}
	return []door.Route{
		session(http.MethodGet, "/api/sessions", projects.ActRead, h.listSessions),
		session(http.MethodPost, "/api/sessions", projects.ActWrite, h.createSession),
		session(http.MethodGet, "/api/sessions/:id", projects.ActRead, h.getSession),
		session(http.MethodPatch, "/api/sessions/:id", projects.ActWrite, h.patchSession),
		session(http.MethodDelete, "/api/sessions/:id", projects.ActWrite, h.deleteSession),
	}
}

// sessionModel is jupyter_server's model of a session.
type sessionModel struct {
	ID       string        `json:"id"`
	Path     string        `json:"path"`
	Name     string        `json:"name"`
	Type     string        `json:"type"`
	Kernel   kernelModel   `json:"kernel"`
	Notebook *notebookPart `json:"notebook,omitempty"`
}

type notebookPart struct {
	Path string `json:"path"`
	Name string `json:"name"`
}

func sessionOf(s kernels.BoundSession) sessionModel {
	m := sessionModel{ID: s.ID, Path: s.Path, Name: s.Name, Type: s.Type, Kernel: modelOf(s.Kernel)}
	if s.Type == "notebook" {
		m.Notebook = &notebookPart{Path: s.Path, Name: s.Name}
	}
	return m
}

// sessionBody is what clients send; pointers tell what is there.
type sessionBody struct {
	Path     *string       `json:"path"`
	Name     *string       `json:"name"`
	Type     *string       `json:"type"`
	Notebook *notebookPart `json:"notebook"` // of clients from before 2016
	Kernel   *struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"kernel"`
}

func (h *Handler) listSessions(c echo.Context) error {
	all, err := h.cfg.Kernels.Sessions(c.Request().Context(), who(c))
	if err != nil {
		return err
	}
	out := make([]sessionModel, len(all))
	for i, s := range all {
		out[i] = sessionOf(s)
	}
	return c.JSON(http.StatusOK, out)
}

func (h *Handler) createSession(c echo.Context) error {
	var body sessionBody
	if err := shape.ReadJSON(c, &body); err != nil {
		return err
	}
	if body.Notebook != nil && body.Path == nil {
		kind := "notebook"
		body.Path, body.Name, body.Type = &body.Notebook.Path, &body.Notebook.Name, &kind
	}
	switch {
	case body.Path == nil:
		return problem.New(problem.Invalid, "Missing field in JSON data: path")
	case body.Type == nil:
		return problem.New(problem.Invalid, "Missing field in JSON data: type")
	}
	req := kernels.SessionRequest{Path: *body.Path, Type: *body.Type}
	if body.Name != nil {
		req.Name = *body.Name
	}
	if body.Kernel != nil {
		req.KernelID, req.KernelSpec = body.Kernel.ID, body.Kernel.Name
	}
	s, err := h.cfg.Kernels.CreateSession(c.Request().Context(), who(c), req)
	if err != nil {
		return unknownSpec(c, err)
	}
	c.Response().Header().Set("Location", base(c)+"/api/sessions/"+s.ID)
	return c.JSON(http.StatusCreated, sessionOf(s))
}

// unknownSpec answers 501 with both messages where a session's kernel is not known, as jupyter_server does.
func unknownSpec(c echo.Context, err error) error {
	var unknown *kernels.UnknownSpecError
	if !errors.As(err, &unknown) {
		return err
	}
	return c.JSON(http.StatusNotImplemented, map[string]string{
		"message": "The '" + unknown.Name + "' kernel is not available. Please pick another suitable kernel instead, " +
			"or install that kernel.",
		"short_message": unknown.Name + " not found",
	})
}

func (h *Handler) getSession(c echo.Context) error {
	s, err := h.cfg.Kernels.Session(c.Request().Context(), who(c), c.Param("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, sessionOf(s))
}

func (h *Handler) patchSession(c echo.Context) error {
	var body sessionBody
	if err := shape.ReadJSON(c, &body); err != nil {
		return err
	}
	if body.Notebook != nil && body.Path == nil && body.Notebook.Path != "" {
		body.Path = &body.Notebook.Path
	}
	p := kernels.SessionPatch{Path: body.Path, Name: body.Name, Type: body.Type}
	ctx := c.Request().Context()
	if body.Kernel != nil {
		p.KernelID, p.KernelSpec = body.Kernel.ID, body.Kernel.Name
	}
	if p.KernelID != "" {
		if _, err := h.cfg.Kernels.Kernel(ctx, who(c), p.KernelID); problem.Is(err, problem.NotFound) {
			return problem.New(problem.Invalid, "No such kernel: %s", p.KernelID)
		}
	}
	s, err := h.cfg.Kernels.UpdateSession(ctx, who(c), c.Param("id"), p)
	if err != nil {
		return unknownSpec(c, err)
	}
	return c.JSON(http.StatusOK, sessionOf(s))
}

func (h *Handler) deleteSession(c echo.Context) error {
	if err := h.cfg.Kernels.DeleteSession(c.Request().Context(), who(c), c.Param("id")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
