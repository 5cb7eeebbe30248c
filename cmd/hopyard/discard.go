package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/hopyard/hopyard/projects"
)

// perProject are the prefixes under which doors and domain keep what belongs to a project, besides its people.
var perProject = []string{"notebook-sessions/", "jupyter/settings/", "jupyter/workspaces/", "jupyter/config/", "contents/trust/"}

// discard removes what a deleted project leaves: its records in storage, and its files, which are moved aside rather than removed. A later
// project of the same name begins with nothing.
func (h *house) discard(ctx context.Context, project string) error {
	h.files.Forget(project)
	store := h.site.db.Storage()
	err := h.envs.Forget(ctx, projects.By{}, project)
	for _, prefix := range perProject {
		err = errors.Join(err, deleteBelow(ctx, store, prefix+project+"/"))
	}
	return errors.Join(err, h.dir.setAside(project, time.Now()))
}

func deleteBelow(ctx context.Context, store storage.Backend, prefix string) error {
	for {
		page, err := store.List(ctx, storage.Query{Prefix: prefix, Limit: storage.MaxOps})
		if err != nil || len(page.Records) == 0 {
			return err
		}
		for records := range slices.Chunk(page.Records, storage.MaxOps) {
			ops := make([]storage.Op, len(records))
			for i, rec := range records {
				ops[i] = storage.Delete(rec.Key)
			}
			if _, err := store.Apply(ctx, ops...); err != nil {
				return err
			}
		}
	}
}

// setAside moves a project's folder to DIR/removed, where an operator finds it.
func (d dataDir) setAside(project string, now time.Time) error {
	from := filepath.Join(d.projects(), project)
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	removed := filepath.Join(string(d), "removed")
	if err := os.MkdirAll(removed, 0o700); err != nil {
		return fmt.Errorf("set the files of %s aside: %w", project, err)
	}
	return os.Rename(from, filepath.Join(removed, project+"-"+now.UTC().Format("20060102T150405.000")))
}
