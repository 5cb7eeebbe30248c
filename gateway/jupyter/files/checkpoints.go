package files

import (
	"net/http"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/gateway/jupyter/shape"
	"github.com/hopyard/hopyard/kernels/contents"
	"github.com/labstack/echo/v4"
)

type checkpoint struct {
	ID           string     `json:"id"`
	LastModified shape.Time `json:"last_modified"`
}

func checkpointOf(c contents.Checkpoint) checkpoint { return checkpoint{c.ID, shape.Time(c.Modified)} }

func (h *Handler) listCheckpoints(c echo.Context, path string) error {
	list, err := h.store.Checkpoints(c.Request().Context(), door.CallerOf(c).Project, path)
	if err != nil {
		return err
	}
	models := make([]checkpoint, len(list))
	for i, each := range list {
		models[i] = checkpointOf(each)
	}
	return c.JSON(http.StatusOK, models)
}

func (h *Handler) createCheckpoint(c echo.Context, path string) error {
	made, err := h.store.CreateCheckpoint(c.Request().Context(), door.CallerOf(c).Project, path)
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderLocation, base(c, "/api/contents")+"/api/contents/"+escape(path)+"/checkpoints/"+made.ID)
	return c.JSON(http.StatusCreated, checkpointOf(made))
}

func (h *Handler) restoreCheckpoint(c echo.Context, t target) error {
	if err := h.store.RestoreCheckpoint(c.Request().Context(), door.CallerOf(c).Project, t.path, t.id); err != nil {
		return err
	}
	h.publish(c, "save", t.path, "")
	return c.NoContent(http.StatusNoContent)
}

func (h *Handler) deleteCheckpoint(c echo.Context, t target) error {
	if err := h.store.DeleteCheckpoint(c.Request().Context(), door.CallerOf(c).Project, t.path, t.id); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (h *Handler) trust(c echo.Context, path string) error {
	who := door.CallerOf(c)
	if err := h.store.Trust(c.Request().Context(), who.Project, who.User, path); err != nil {
		return err
	}
	return c.NoContent(http.StatusCreated)
}
