package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/gateway/jupyter/lab/json5"
	"github.com/hopyard/hopyard/gateway/jupyter/shape"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/hopyard/hopyard/projects"
	"github.com/labstack/echo/v4"
)

func (h *Handler) settingsRoutes() []door.Route {
	route := func(method, path string, action projects.Action, handle echo.HandlerFunc) door.Route {
		return door.Route{Method: method, Path: path, Resource: projects.ResSettings, Action: action, Handle: handle}
	}
	return []door.Route{
		route(http.MethodGet, "/lab/api/settings", projects.ActRead, h.getSettings),
		route(http.MethodGet, "/lab/api/settings/*", projects.ActRead, h.getSettings),
		route(http.MethodPut, "/lab/api/settings/*", projects.ActWrite, h.putSettings),
	}
}

// settings is what a user saved for a plugin.
type settings struct {
	Raw      string          `json:"raw"`      // as typed: JSON5 with its comments
	Settings json.RawMessage `json:"settings"` // the same as JSON
	// Tree names the files whose schema the value was checked against. After an upgrade it is checked again.
	Tree     string    `json:"tree"`
	Created  time.Time `json:"created"`
	Modified time.Time `json:"modified"`
}

// getSettings answers with one plugin's settings or with all.
func (h *Handler) getSettings(c echo.Context) error {
	catalog, err := h.catalog()
	if err != nil {
		return err
	}
	if id := strings.Trim(below(c, "/lab/api/settings"), "/"); id != "" {
		return h.getPlugin(c, catalog, id)
	}
	if c.QueryParam("ids_only") == "true" {
		return c.JSONBlob(http.StatusOK, catalog.ids)
	}
	saved, err := h.allSettings(c.Request().Context(), settingsPrefix(door.CallerOf(c)))
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.Grow(256 << 10)
	b.WriteString(`{"settings":[`)
	for i := range catalog.plugins {
		if i > 0 {
			b.WriteByte(',')
		}
		p := &catalog.plugins[i]
		if err := h.writeEntry(&b, p, saved[p.id]); err != nil {
			return err
		}
	}
	b.WriteString(`]}`)
	return c.JSONBlob(http.StatusOK, b.Bytes())
}

func (h *Handler) getPlugin(c echo.Context, catalog *catalog, id string) error {
	p, ok := catalog.find(id)
	if !ok {
		return notFound("Schema", id)
	}
	saved, err := h.savedSettings(c.Request().Context(), settingsPrefix(door.CallerOf(c))+id)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := h.writeEntry(&b, p, saved); err != nil {
		return err
	}
	return c.JSONBlob(http.StatusOK, b.Bytes())
}

// writeEntry writes a plugin with its user's settings; saved is nil where there are none. The schema, nearly all of the
// answer, goes in as it is.
func (h *Handler) writeEntry(b *bytes.Buffer, p *plugin, saved *settings) error {
	entry := struct {
		ID       string          `json:"id"`
		Version  string          `json:"version"`
		Raw      string          `json:"raw"`
		Settings json.RawMessage `json:"settings"`
		Warning  *string         `json:"warning,omitempty"`
		Modified *shape.Time     `json:"last_modified"`
		Created  *shape.Time     `json:"created"`
	}{ID: p.id, Version: p.version, Raw: "{}", Settings: json.RawMessage("{}")}
	// Stock leaves the warning out where there is none, and the times null.
	if saved != nil {
		entry.Raw, entry.Settings = saved.Raw, saved.Settings
		entry.Modified, entry.Created = (*shape.Time)(&saved.Modified), (*shape.Time)(&saved.Created)
		if err := h.recheck(p, saved); err != nil {
			warning := fmt.Sprintf("Failed validating settings (%s): %s", p.id, err)
			entry.Warning, entry.Settings = &warning, json.RawMessage("{}")
		}
	}
	text, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	b.Write(text[:len(text)-1])
	b.WriteString(`,"schema":`)
	b.Write(p.schema)
	b.WriteByte('}')
	return nil
}

// recheck validates settings that were saved under another schema.
func (h *Handler) recheck(p *plugin, saved *settings) error {
	if saved.Tree == h.tree.Name {
		return nil
	}
	return p.validate(saved.Settings)
}

// putSettings saves {"raw": JSON5} for a plugin once it is valid.
func (h *Handler) putSettings(c echo.Context) error {
	catalog, err := h.catalog()
	if err != nil {
		return err
	}
	id := strings.Trim(below(c, "/lab/api/settings"), "/")
	p, ok := catalog.find(id)
	if !ok {
		return notFound("Schema", id)
	}
	var body struct{ Raw *string }
	if err := shape.ReadJSON(c, &body); err != nil {
		return err
	}
	if body.Raw == nil {
		return problem.New(problem.Invalid, `Failed parsing JSON payload: "raw" is missing`)
	}
	text, err := json5.ToJSON(*body.Raw)
	if err != nil {
		return problem.New(problem.Invalid, "Failed parsing JSON payload: %w", err)
	}
	if err := p.validate(text); err != nil {
		return problem.New(problem.Invalid, "Failed validating settings (%s): %w", id, err)
	}
	now := time.Now().UTC()
	value := settings{Raw: *body.Raw, Settings: text, Tree: h.tree.Name, Created: now, Modified: now}
	if err := h.save(c.Request().Context(), settingsPrefix(door.CallerOf(c))+id, value); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (h *Handler) save(ctx context.Context, key string, value settings) error {
	old, err := h.savedSettings(ctx, key)
	if err != nil {
		return err
	}
	if old != nil {
		value.Created = old.Created
	}
	return h.put(ctx, key, value)
}

func (h *Handler) savedSettings(ctx context.Context, key string) (*settings, error) {
	record, err := h.store.Get(ctx, key)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	var value settings
	if err := json.Unmarshal(record.Value, &value); err != nil {
		return nil, fmt.Errorf("read settings %s: %w", key, err)
	}
	return &value, nil
}

// allSettings gives what a user saved, by plugin.
func (h *Handler) allSettings(ctx context.Context, prefix string) (map[string]*settings, error) {
	saved := map[string]*settings{}
	err := h.each(ctx, prefix, func(record storage.Record) error {
		value := new(settings)
		saved[strings.TrimPrefix(record.Key, prefix)] = value
		return json.Unmarshal(record.Value, value)
	})
	return saved, err
}

// settingsPrefix begins the keys of a user's settings in a project.
func settingsPrefix(who *door.Caller) string { return prefix("settings", who) }

// prefix begins the keys of what a user keeps in a project: jupyter/KIND/PROJECT/USER/.
func prefix(kind string, who *door.Caller) string {
	return "jupyter/" + kind + "/" + url.PathEscape(who.Project) + "/" + url.PathEscape(who.User) + "/"
}

// each calls do for all records below a prefix.
func (h *Handler) each(ctx context.Context, prefix string, do func(storage.Record) error) error {
	query := storage.Query{Prefix: prefix}
	for {
		page, err := h.store.List(ctx, query)
		if err != nil {
			return fmt.Errorf("list %s: %w", prefix, err)
		}
		for _, record := range page.Records {
			if err := do(record); err != nil {
				return fmt.Errorf("read %s: %w", record.Key, err)
			}
		}
		if query.After = page.Next; page.Next == "" {
			return nil
		}
	}
}

// put writes a value that may be larger than storage takes, as users make them.
func (h *Handler) put(ctx context.Context, key string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = h.store.Apply(ctx, storage.Put(key, text))
	if errors.Is(err, storage.ErrTooLarge) {
		return problem.New(problem.TooLarge, "this is too large to be kept: at most %d kB, and %d characters for a name", storage.MaxValue>>10, storage.MaxKey)
	}
	return err
}
