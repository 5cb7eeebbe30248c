package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/gateway/jupyter/shape"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/hopyard/hopyard/projects"
	"github.com/labstack/echo/v4"
)

func (h *Handler) workspaceRoutes() []door.Route {
	route := func(method, path string, action projects.Action, handle echo.HandlerFunc) door.Route {
		return door.Route{Method: method, Path: path, Resource: projects.ResSettings, Action: action, Handle: handle}
	}
	return []door.Route{
		route(http.MethodGet, "/lab/api/workspaces", projects.ActRead, h.getWorkspaces),
		route(http.MethodGet, "/lab/api/workspaces/*", projects.ActRead, h.getWorkspaces),
		route(http.MethodPut, "/lab/api/workspaces/*", projects.ActWrite, h.putWorkspace),
		route(http.MethodDelete, "/lab/api/workspaces/*", projects.ActWrite, h.deleteWorkspace),
	}
}

// workspace is the layout that Lab keeps: which tabs are open and where. Data is Lab's own business.
type workspace struct {
	Data     json.RawMessage            `json:"data"`
	Metadata map[string]json.RawMessage `json:"metadata"`
}

// stored is a workspace as it is kept.
type stored struct {
	workspace
	Created  time.Time `json:"created"`
	Modified time.Time `json:"modified"`
}

// shown gives the workspace with its times among the metadata, where Lab looks for them.
func (s *stored) shown() workspace {
	w := s.workspace
	w.Metadata["created"], _ = shape.Time(s.Created).MarshalJSON()
	w.Metadata["last_modified"], _ = shape.Time(s.Modified).MarshalJSON()
	return w
}

func workspaceKey(c echo.Context) (prefixOf, id string) {
	return prefix("workspaces", door.CallerOf(c)), strings.Trim(below(c, "/lab/api/workspaces"), "/")
}

func (h *Handler) getWorkspaces(c echo.Context) error {
	prefix, id := workspaceKey(c)
	if id == "" {
		return h.listWorkspaces(c, prefix)
	}
	saved, err := h.savedWorkspace(c, prefix+id)
	if unknown(err) {
		// Lab asks for a workspace before it makes it, and wants an empty one then.
		name, err := json.Marshal(id)
		if err != nil {
			return err
		}
		return c.JSON(http.StatusOK, workspace{Data: json.RawMessage("{}"), Metadata: map[string]json.RawMessage{"id": name}})
	}
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, saved.shown())
}

// unknown says that there is no such workspace, be it because no key could be so long.
func unknown(err error) bool {
	return errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrTooLarge)
}

func (h *Handler) savedWorkspace(c echo.Context, key string) (*stored, error) {
	record, err := h.store.Get(c.Request().Context(), key)
	if err != nil {
		return nil, fmt.Errorf("read workspace: %w", err)
	}
	value := new(stored)
	if err := json.Unmarshal(record.Value, value); err != nil {
		return nil, fmt.Errorf("read workspace %s: %w", key, err)
	}
	return value, nil
}

func (h *Handler) listWorkspaces(c echo.Context, prefix string) error {
	ids, values := []string{}, []workspace{}
	err := h.each(c.Request().Context(), prefix, func(record storage.Record) error {
		value := new(stored)
		if err := json.Unmarshal(record.Value, value); err != nil {
			return err
		}
		ids, values = append(ids, strings.TrimPrefix(record.Key, prefix)), append(values, value.shown())
		return nil
	})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"workspaces": map[string]any{"ids": ids, "values": values}})
}

// putWorkspace saves {"data", "metadata": {"id"}}; Lab does it at every change of its layout.
func (h *Handler) putWorkspace(c echo.Context) error {
	prefix, id := workspaceKey(c)
	var body workspace
	if err := shape.ReadJSON(c, &body); err != nil {
		return err
	}
	var named string
	if err := json.Unmarshal(body.Metadata["id"], &named); err != nil || id == "" || strings.Trim(named, "/") != id {
		return problem.New(problem.Invalid, "Workspace metadata ID mismatch: expected %q got %q", id, named)
	}
	if len(body.Data) == 0 {
		return problem.New(problem.Invalid, "the workspace has no data")
	}
	now := time.Now().UTC()
	value := stored{workspace: body, Created: now, Modified: now}
	switch old, err := h.savedWorkspace(c, prefix+id); {
	case err == nil:
		value.Created = old.Created
	case !unknown(err):
		return err
	}
	if err := h.put(c.Request().Context(), prefix+id, value); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (h *Handler) deleteWorkspace(c echo.Context) error {
	prefix, id := workspaceKey(c)
	if _, err := h.savedWorkspace(c, prefix+id); unknown(err) {
		return notFound("Workspace", id)
	} else if err != nil {
		return err
	}
	if _, err := h.store.Apply(c.Request().Context(), storage.Delete(prefix+id)); err != nil {
		return fmt.Errorf("delete workspace: %w", err)
	}
	return c.NoContent(http.StatusNoContent)
}
