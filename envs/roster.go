package envs

import (
	"context"
	"errors"
	"slices"

	"github.com/hopyard/hopyard/plugins/storage"
)

// rosterKeys is where rosters are kept: one for each project, by its name.
const rosterKeys = "environment-rosters/"

// roster says which environments a project has and which of them is the default one. Whoever adds one, deletes one or makes another
// the default one writes it under a condition, in the same step: two who do so at once notice.
type roster struct {
	Default string   `json:"default,omitempty"`
	Names   []string `json:"names,omitempty"` // the oldest first
}

// others are the other environments of the project of st, the oldest first. From now on st happens only if no environment comes,
// goes or becomes the default one before it does; enroll must follow.
func (s *Service) others(ctx context.Context, st *step) ([]stored[envRecord], error) {
	_, rev, err := load[roster](ctx, s.cfg.Storage, rosterKeys+st.env.Project) // first: what is listed is at least as new
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, err
	}
	st.roster = rev
	list, err := all[envRecord](ctx, s.cfg.Storage, envKeys+st.env.Project+"/")
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(o stored[envRecord]) bool { return o.value.Deleting || o.value.Name == st.env.Name })
	slices.SortStableFunc(list, func(a, b stored[envRecord]) int { return a.value.Created.Compare(b.value.Created) })
	return list, nil
}

// enroll sees to it that exactly one environment is the default one when st has happened, if there is any: the one named prefer, else
// the one that is, else the oldest. Where storage has several or none, from before there were rosters, that ends here too.
func (st *step) enroll(others []stored[envRecord], prefer string) {
	var next roster
	add := func(e envRecord) {
		next.Names = append(next.Names, e.Name)
		if next.Default == "" && (e.Default && prefer == "" || e.Name == prefer) {
			next.Default = e.Name
		}
	}
	for _, o := range others {
		add(o.value)
	}
	if !st.env.Deleting {
		add(st.env)
	}
	if next.Default == "" && len(next.Names) > 0 {
		next.Default = next.Names[0]
	}
	for _, o := range others {
		if is := o.value.Name == next.Default; is != o.value.Default {
			o.value.Default = is
			st.update(o.key, o.value, o.rev)
		}
	}
	st.env.Default = !st.env.Deleting && st.env.Name == next.Default
	if st.roster == 0 {
		st.create(rosterKeys+st.env.Project, next)
	} else {
		st.update(rosterKeys+st.env.Project, next, st.roster)
	}
}

// disband removes the roster of a project that has no environments left.
func (s *Service) disband(ctx context.Context, project string) error {
	r, rev, err := load[roster](ctx, s.cfg.Storage, rosterKeys+project)
	if errors.Is(err, storage.ErrNotFound) || err == nil && len(r.Names) > 0 {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = s.cfg.Storage.Apply(ctx, storage.Delete(rosterKeys+project).When(storage.At(rev)))
	if errors.Is(err, storage.ErrConflict) {
		return nil // somebody has begun anew
	}
	return err
}
