package jupyter

import (
	"errors"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/gateway/jupyter/events"
	"github.com/hopyard/hopyard/gateway/jupyter/shape"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels"
	"github.com/hopyard/hopyard/projects"
	"github.com/labstack/echo/v4"
)

func (h *Handler) kernelRoutes() []door.Route {
	kernel := func(method, path string, action projects.Action, handle echo.HandlerFunc) door.Route {
		return door.Route{Method: method, Path: path, Resource: projects.ResKernels, Action: action, Handle: handle}
	}
	return []door.Route{
		kernel(http.MethodGet, "/api/kernelspecs", projects.ActRead, h.specs),
		kernel(http.MethodGet, "/api/kernelspecs/:name", projects.ActRead, h.spec),
		kernel(http.MethodGet, "/kernelspecs/:name/:file", projects.ActRead, h.specFile),
		kernel(http.MethodGet, "/api/kernels", projects.ActRead, h.listKernels),
		kernel(http.MethodPost, "/api/kernels", projects.ActWrite, h.startKernel),
		kernel(http.MethodGet, "/api/kernels/:id", projects.ActRead, h.getKernel),
		kernel(http.MethodDelete, "/api/kernels/:id", projects.ActWrite, h.stopKernel),
		kernel(http.MethodPost, "/api/kernels/:id/interrupt", projects.ActWrite, h.interruptKernel),
		kernel(http.MethodPost, "/api/kernels/:id/restart", projects.ActWrite, h.restartKernel),
		kernel(http.MethodGet, "/api/kernels/:id/channels", projects.ActExecute, h.channels),
	}
}

// kernelModel is jupyter_server's model of a kernel.
type kernelModel struct {
	ID             string     `json:"id"`
	Name           string     `json:"name"`
	LastActivity   shape.Time `json:"last_activity"`
	ExecutionState string     `json:"execution_state"`
	Connections    int        `json:"connections"`
	Reason         string     `json:"reason,omitempty"`
}

func modelOf(k kernels.Kernel) kernelModel {
	return kernelModel{
		ID: k.ID, Name: k.Name, LastActivity: shape.Time(k.LastActivity), ExecutionState: k.Activity,
		Connections: k.Connections, Reason: k.Reason,
	}
}

// specModel is jupyter_server's model of a kernelspec.
type specModel struct {
	Name      string            `json:"name"`
	Spec      kernels.Spec      `json:"spec"`
	Resources map[string]string `json:"resources"`
}

func specOf(c echo.Context, s kernels.NamedSpec) specModel {
	m := specModel{Name: s.Name, Spec: s.Spec, Resources: map[string]string{}}
	for _, file := range s.Resources {
		name := file
		if strings.HasPrefix(file, "logo-") {
			name = strings.TrimSuffix(file, path.Ext(file))
		}
		m.Resources[name] = base(c) + "/kernelspecs/" + s.Name + "/" + file
	}
	return m
}

func (h *Handler) specs(c echo.Context) error {
	all, err := h.cfg.Kernels.Specs(c.Request().Context(), who(c).Project)
	if err != nil {
		return err
	}
	out := make(map[string]specModel, len(all))
	standard := kernels.DefaultSpec
	for name, s := range all {
		out[name] = specOf(c, s)
	}
	if _, ok := all[standard]; !ok && len(all) > 0 {
		standard = slices.Min(slices.Collect(maps.Keys(all)))
	}
	return c.JSON(http.StatusOK, map[string]any{"default": standard, "kernelspecs": out})
}

func (h *Handler) spec(c echo.Context) error {
	all, err := h.cfg.Kernels.Specs(c.Request().Context(), who(c).Project)
	if err != nil {
		return err
	}
	s, ok := all[c.Param("name")]
	if !ok {
		return problem.New(problem.NotFound, "Kernel spec %s not found", c.Param("name"))
	}
	return c.JSON(http.StatusOK, specOf(c, s))
}

func (h *Handler) specFile(c echo.Context) error {
	f, err := h.cfg.Kernels.Resource(c.Request().Context(), who(c).Project, c.Param("name"), c.Param("file"))
	if _, ok := errors.AsType[*kernels.UnknownSpecError](err); ok {
		return problem.New(problem.NotFound, "Kernel spec %s not found", c.Param("name"))
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "private, max-age=2592000")
	// A logo may be SVG, which can hold scripts: opened by itself it must not run them on our origin.
	c.Response().Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	http.ServeContent(c.Response(), c.Request(), info.Name(), info.ModTime(), f)
	return nil
}

func (h *Handler) listKernels(c echo.Context) error {
	all, err := h.cfg.Kernels.Kernels(c.Request().Context(), who(c))
	if err != nil {
		return err
	}
	out := make([]kernelModel, len(all))
	for i, k := range all {
		out[i] = modelOf(k)
	}
	return c.JSON(http.StatusOK, out)
}

func (h *Handler) startKernel(c echo.Context) error {
	var body struct {
		Name     string            `json:"name"`
		Path     string            `json:"path"`
		KernelID string            `json:"kernel_id"`
		Env      map[string]string `json:"env"`
	}
	if err := shape.ReadJSON(c, &body); err != nil {
		return err
	}
	k, err := h.cfg.Kernels.StartKernel(c.Request().Context(), who(c), kernels.StartRequest{
		ID: body.KernelID, Spec: body.Name, Path: body.Path,
		// The one variable of a gateway client that we heed: identity, image and the rest come from the login.
		WorkDir: body.Env["KERNEL_WORKING_DIR"],
	})
	if unknown, ok := errors.AsType[*kernels.UnknownSpecError](err); ok {
		return problem.New(problem.Internal, "%s", unknown.Error()) // 500: so does jupyter_server
	}
	if err != nil {
		return err
	}
	h.announce(c, "start", k)
	c.Response().Header().Set("Location", base(c)+"/api/kernels/"+k.ID)
	return c.JSON(http.StatusCreated, modelOf(k))
}

func (h *Handler) getKernel(c echo.Context) error {
	k, err := h.cfg.Kernels.Kernel(c.Request().Context(), who(c), c.Param("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, modelOf(k))
}

func (h *Handler) stopKernel(c echo.Context) error {
	k, err := h.cfg.Kernels.Kernel(c.Request().Context(), who(c), c.Param("id"))
	if err != nil {
		return err
	}
	if err := h.cfg.Kernels.StopKernel(c.Request().Context(), who(c), k.ID); err != nil {
		return err
	}
	h.announce(c, "shutdown", k)
	return c.NoContent(http.StatusNoContent)
}

func (h *Handler) interruptKernel(c echo.Context) error {
	if err := h.cfg.Kernels.InterruptKernel(c.Request().Context(), who(c), c.Param("id")); err != nil {
		return err
	}
	h.announce(c, "interrupt", kernels.Kernel{ID: c.Param("id")})
	return c.NoContent(http.StatusNoContent)
}

func (h *Handler) restartKernel(c echo.Context) error {
	k, err := h.cfg.Kernels.RestartKernel(c.Request().Context(), who(c), c.Param("id"))
	if err != nil {
		return err
	}
	h.announce(c, "restart", k)
	return c.JSON(http.StatusOK, modelOf(k))
}

// announce tells those who listen to the project's events.
func (h *Handler) announce(c echo.Context, action string, k kernels.Kernel) {
	h.cfg.Events.Publish(who(c).Project, events.Kernel(action, k.ID, k.Name, "Kernel "+k.ID+": "+action))
}
