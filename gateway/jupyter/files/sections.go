package files

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/gateway/jupyter/shape"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/labstack/echo/v4"
)

// sections keeps the configuration that front ends save under a name, for each user in each project.
type sections struct{ records storage.Backend }

// section is one such configuration: any JSON object.
type section map[string]any

var sectionName = regexp.MustCompile(`^\w{1,100}$`)

// sectionKey gives the record's key; names that Jupyter's route does not know are not found.
func sectionKey(c echo.Context) (string, error) {
	name := c.Param("section")
	if !sectionName.MatchString(name) {
		return "", problem.New(problem.NotFound, "there is no section %q", name)
	}
	who := door.CallerOf(c)
	return "jupyter/config/" + who.Project + "/" + who.User + "/" + name, nil
}

// get reads a section. One that was never saved is empty and has revision 0.
func (s sections) get(ctx context.Context, key string) (section, storage.Revision, error) {
	rec, err := s.records.Get(ctx, key)
	if errors.Is(err, storage.ErrNotFound) {
		return section{}, 0, nil
	} else if err != nil {
		return nil, 0, err
	}
	data := section{}
	return data, rec.Rev, json.Unmarshal(rec.Value, &data)
}

func (s sections) put(ctx context.Context, key string, data section, op func(key string, value []byte) storage.Op) error {
	value, err := json.Marshal(data)
	if err != nil {
		return err
	}
	_, err = s.records.Apply(ctx, op(key, value))
	if errors.Is(err, storage.ErrTooLarge) {
		return problem.New(problem.TooLarge, "a section may have %d kB", storage.MaxValue>>10)
	}
	return err
}

// update merges changes into a section, whoever else does so at the same time.
func (s sections) update(ctx context.Context, key string, changes section) (section, error) {
	for {
		data, rev, err := s.get(ctx, key)
		if err != nil {
			return nil, err
		}
		merge(data, changes)
		err = s.put(ctx, key, data, func(key string, value []byte) storage.Op {
			if rev == 0 {
				return storage.Create(key, value)
			}
			return storage.Update(key, value, rev)
		})
		if !errors.Is(err, storage.ErrConflict) {
			return data, err
		}
	}
}

// merge changes data as Jupyter does: objects are merged, null deletes, and objects that become empty go.
func merge(data, changes map[string]any) {
	for key, change := range changes {
		switch change := change.(type) {
		case nil:
			delete(data, key)
		case map[string]any:
			inner, ok := data[key].(map[string]any)
			if !ok {
				inner = map[string]any{}
			}
			merge(inner, change)
			if data[key] = inner; len(inner) == 0 {
				delete(data, key)
			}
		default:
			data[key] = change
		}
	}
}

func readSection(c echo.Context) (section, error) {
	var data section
	if err := shape.ReadJSON(c, &data); err != nil {
		return nil, err
	}
	if data == nil {
		return nil, problem.New(problem.Invalid, "Invalid JSON in body of request")
	}
	return data, nil
}

func (h *Handler) getSection(c echo.Context) error {
	key, err := sectionKey(c)
	if err != nil {
		return err
	}
	data, _, err := h.config.get(c.Request().Context(), key)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, data)
}

func (h *Handler) putSection(c echo.Context) error {
	key, err := sectionKey(c)
	if err != nil {
		return err
	}
	data, err := readSection(c)
	if err != nil {
		return err
	}
	if err := h.config.put(c.Request().Context(), key, data, storage.Put); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (h *Handler) patchSection(c echo.Context) error {
	key, err := sectionKey(c)
	if err != nil {
		return err
	}
	changes, err := readSection(c)
	if err != nil {
		return err
	}
	data, err := h.config.update(c.Request().Context(), key, changes)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, data)
}
