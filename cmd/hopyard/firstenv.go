package main

import (
	"context"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/projects"
)

// prepareEnvironments makes what environments are made with and, in the background, sees to it from then on that every project has its
// first one.
func (h *house) prepareEnvironments(ctx context.Context) error {
	if err := h.makers.Prepare(ctx); err != nil {
		return err
	}
	changes := h.site.people.Changes(ctx)
	h.equipAll(ctx)
	h.work.Go(func() {
		for c := range changes {
			switch c.Kind {
			case projects.KindProjects:
				h.equip(ctx, c.Project)
			case projects.Resync:
				h.equipAll(ctx)
			case projects.KindUsers, projects.KindMembers, projects.KindTokens:
			}
		}
	})
	return nil
}

// equipAll gives every project that has none its first environment.
func (h *house) equipAll(ctx context.Context) {
	for p := (projects.Page{}); ; {
		all, next, err := h.site.people.Projects(ctx, p)
		if err != nil {
			h.log.WarnContext(ctx, "projects could not be listed", "error", err)
			return
		}
		for _, project := range all {
			h.equip(ctx, project.Name)
		}
		if next == "" {
			return
		}
		p.After = next
	}
}

func (h *house) equip(ctx context.Context, project string) {
	_, err := h.site.people.Project(ctx, project)
	if problem.Is(err, problem.NotFound) { // the change was its end
		return
	}
	if err == nil {
		err = h.envs.EnsureFirst(ctx, project)
	}
	if err != nil && ctx.Err() == nil {
		h.log.WarnContext(ctx, "project has no first environment yet", "project", project, "reason", err)
	}
}
