package projects

import (
	"context"
	"errors"
	"time"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
)

// Project is where people work together: its members share its files, workloads and environment.
type Project struct {
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Created     time.Time `json:"created"`
	Members     int       `json:"members"`
}

// projectRecord is a Project as stored. Whoever changes its members writes it too, under a condition: the counts are
// right, and two owners cannot remove each other at once.
type projectRecord struct {
	Project
	// ID is of this project, not of a later one with the same name.
	ID     string `json:"id"`
	Owners int    `json:"owners"`
}

// CreateProject makes a project with its first data owner. A name that is taken is a problem.Conflict.
func (s *Service) CreateProject(ctx context.Context, by By, name, description, owner string) (Project, error) {
	if err := errors.Join(CheckProjectName(name), checkText("the description", description)); err != nil {
		return Project{}, err
	}
	p := projectRecord{
		Project: Project{Name: name, Description: description, Created: s.now().UTC(), Members: 1},
		ID:      newID(), Owners: 1,
	}
	err := retry(ctx, func() error {
		u, rev, err := s.user(ctx, owner)
		if err != nil {
			return err
		}
		if err := s.vacant(ctx, projectsKeys+name, "there is a project %q already", name); err != nil {
			return err
		}
		m := memberRecord{Project: name, User: owner, Role: DataOwner, Since: p.Created, ProjectID: p.ID, UserID: u.ID}
		ops := append(m.put(), s.audited(by.entry("project_made", name, "owner: "+owner).in(name))...)
		ops = append(ops, storage.Create(projectsKeys+name, encode(p)), storage.Check(usersKeys+owner, storage.At(rev)))
		_, err = s.store.Apply(ctx, ops...)
		return err
	})
	if err == nil {
		s.changed(projectsKeys + name)
	}
	return p.Project, err
}

// EnsureProject makes a project unless there is one of that name.
func (s *Service) EnsureProject(ctx context.Context, name, description, owner string) (created bool, err error) {
	_, err = s.CreateProject(ctx, By{}, name, description, owner)
	if problem.Is(err, problem.Conflict) {
		return false, nil
	}
	return err == nil, err
}

// project reads a project.
func (s *Service) project(ctx context.Context, name string) (projectRecord, storage.Revision, error) {
	if CheckProjectName(name) != nil {
		return projectRecord{}, 0, problem.New(problem.NotFound, "there is no such project")
	}
	p, rev, err := load[projectRecord](ctx, s.store, projectsKeys+name)
	return p, rev, missing(err, "there is no project %q", name)
}

// Project returns a project, or a problem.NotFound.
func (s *Service) Project(ctx context.Context, name string) (Project, error) {
	p, _, err := s.project(ctx, name)
	return p.Project, err
}

// Projects lists all projects by name.
func (s *Service) Projects(ctx context.Context, p Page) (projects []Project, next string, err error) {
	return list[Project](ctx, s.store, projectsKeys, p, false)
}

// DescribeProject changes a project's description.
func (s *Service) DescribeProject(ctx context.Context, by By, name, description string) (Project, error) {
	if err := checkText("the description", description); err != nil {
		return Project{}, err
	}
	var p projectRecord
	err := retry(ctx, func() error {
		var rev storage.Revision
		var err error
		if p, rev, err = s.project(ctx, name); err != nil {
			return err
		}
		p.Description = description
		ops := append(s.audited(by.entry("project_changed", name, "description").in(name)), storage.Update(projectsKeys+name, encode(p), rev))
		_, err = s.store.Apply(ctx, ops...)
		return err
	})
	return p.Project, err
}

// DeleteProject removes a project and its memberships and ends all connections to it. The caller has made sure that nothing
// runs there. Its audit log and the files of its members stay where they are.
func (s *Service) DeleteProject(ctx context.Context, by By, name string) error {
	err := retry(ctx, func() error {
		_, rev, err := s.project(ctx, name)
		if err != nil {
			return err
		}
		ops := append(s.audited(by.entry("project_removed", name, "").in(name)), storage.Delete(projectsKeys+name).When(storage.At(rev)))
		_, err = s.store.Apply(ctx, ops...)
		return err
	})
	if err != nil {
		return err
	}
	s.changed(projectsKeys + name)
	return s.sweepMembers(ctx, name)
}

// sweepMembers removes what a deleted project's members have left. Should it break off, the rest is void anyway: it
// carries the ID of a project that is no more.
func (s *Service) sweepMembers(ctx context.Context, project string) error {
	left, err := all[memberRecord](ctx, s.store, membersKeys+project+"/")
	if err != nil {
		return err
	}
	for _, m := range left {
		if _, err := s.store.Apply(ctx, m.remove()...); err != nil {
			return err
		}
	}
	return nil
}

// Membership is a project as seen by one of its members.
type Membership struct {
	Project string `json:"name"`
	Role    Role   `json:"role"`
}

// ProjectsOf lists the projects that a user is a member of, by name.
func (s *Service) ProjectsOf(ctx context.Context, user string) ([]Membership, error) {
	u, _, err := s.user(ctx, user)
	if err != nil {
		return nil, err
	}
	records, err := all[memberRecord](ctx, s.store, memberOfKeys+user+"/")
	if err != nil {
		return nil, err
	}
	memberships := make([]Membership, 0, len(records))
	for _, m := range records {
		p, _, err := s.project(ctx, m.Project)
		switch {
		case err == nil && m.current(p, u):
			memberships = append(memberships, Membership{Project: m.Project, Role: m.Role})
		case err != nil && !problem.Is(err, problem.NotFound):
			return nil, err
		}
	}
	return memberships, nil
}
