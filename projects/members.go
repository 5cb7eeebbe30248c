package projects

import (
	"context"
	"time"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
)

// Member is a person in a project.
type Member struct {
	User  string    `json:"user"`
	Name  string    `json:"name"` // display name
	Role  Role      `json:"role"`
	Since time.Time `json:"since"`
}

// memberRecord is a membership as stored, twice: in the order of projects and in the order of users. It is void unless
// both IDs are those of the present project and account.
type memberRecord struct {
	Project   string    `json:"project"`
	User      string    `json:"user"`
	Role      Role      `json:"role"`
	Since     time.Time `json:"since"`
	ProjectID string    `json:"project_id"`
	UserID    string    `json:"user_id"`
}

func (m memberRecord) keys() (byProject, byUser string) {
	return membersKeys + m.Project + "/" + m.User, memberOfKeys + m.User + "/" + m.Project
}

// current reports whether the membership is of this very project and account.
func (m memberRecord) current(p projectRecord, u userRecord) bool {
	return m.ProjectID == p.ID && m.UserID == u.ID
}

func (m memberRecord) view(u userRecord) Member {
	return Member{User: m.User, Name: u.DisplayName, Role: m.Role, Since: m.Since}
}

func (m memberRecord) put() []storage.Op {
	byProject, byUser := m.keys()
	return []storage.Op{storage.Put(byProject, encode(m)), storage.Put(byUser, encode(m))}
}

func (m memberRecord) remove() []storage.Op {
	byProject, byUser := m.keys()
	return []storage.Op{storage.Delete(byProject), storage.Delete(byUser)}
}

// membership is what has to be read before a membership may be changed.
type membership struct {
	project projectRecord
	rev     storage.Revision // of project
	user    userRecord
	member  *memberRecord // nil if the user is no member
}

func (s *Service) membership(ctx context.Context, project, user string) (m membership, err error) {
	if m.project, m.rev, err = s.project(ctx, project); err != nil {
		return m, err
	}
	if m.user, _, err = s.user(ctx, user); err != nil {
		return m, err
	}
	r, _, err := load[memberRecord](ctx, s.store, membersKeys+project+"/"+user)
	switch err = missing(err, "%s is not a member of project %q", user, project); {
	case err == nil && r.current(m.project, m.user):
		m.member = &r
	case err != nil && !problem.Is(err, problem.NotFound):
		return m, err
	}
	return m, nil
}

// currentMember returns a membership that is not void, or a problem.NotFound.
func (s *Service) currentMember(ctx context.Context, project, user string) (membership, error) {
	m, err := s.membership(ctx, project, user)
	if err == nil && m.member == nil {
		err = problem.New(problem.NotFound, "%s is not a member of project %q", user, project)
	}
	return m, err
}

// Member returns a member of a project, or a problem.NotFound.
func (s *Service) Member(ctx context.Context, project, user string) (Member, error) {
	m, err := s.currentMember(ctx, project, user)
	if err != nil {
		return Member{}, err
	}
	return m.member.view(m.user), nil
}

// Members lists a project's members by user name.
func (s *Service) Members(ctx context.Context, project string, p Page) (members []Member, next string, err error) {
	of, _, err := s.project(ctx, project)
	if err != nil {
		return nil, "", err
	}
	records, next, err := list[memberRecord](ctx, s.store, membersKeys+project+"/", p, false)
	if err != nil {
		return nil, "", err
	}
	members = make([]Member, 0, len(records))
	for _, r := range records {
		u, _, err := s.user(ctx, r.User)
		switch {
		case err == nil && r.current(of, u):
			members = append(members, r.view(u))
		case err != nil && !problem.Is(err, problem.NotFound):
			return nil, "", err
		}
	}
	return members, next, nil
}

// SetMember makes a user a member of a project, or gives a member another role. The last data owner cannot be demoted
// (problem.Conflict).
func (s *Service) SetMember(ctx context.Context, by By, project, user string, role Role) (Member, error) {
	if !role.Member() {
		return Member{}, problem.New(problem.Invalid, "the role in a project is %s or %s", DataOwner, DataScientist)
	}
	var view Member
	err := s.changeMember(ctx, project, user, by.entry("member_set", user, string(role)).in(project), func(m *membership) ([]storage.Op, error) {
		r := memberRecord{Project: project, User: user, Since: s.now().UTC(), ProjectID: m.project.ID, UserID: m.user.ID}
		if m.member != nil {
			r = *m.member
			m.count(r.Role, -1)
		}
		r.Role = role
		m.count(role, 1)
		view = r.view(m.user)
		return r.put(), nil
	})
	return view, err
}

// RemoveMember takes a user out of a project and ends their connections to it. The last data owner stays
// (problem.Conflict).
func (s *Service) RemoveMember(ctx context.Context, by By, project, user string) error {
	return s.changeMember(ctx, project, user, by.entry("member_removed", user, "").in(project), func(m *membership) ([]storage.Op, error) {
		if m.member == nil {
			return nil, problem.New(problem.NotFound, "%s is not a member of project %q", user, project)
		}
		m.count(m.member.Role, -1)
		return m.member.remove(), nil
	})
}

func (m *membership) count(role Role, n int) {
	m.project.Members += n
	if role == DataOwner {
		m.project.Owners += n
	}
}

// changeMember does what change asks for, together with the project's counts, unless no owner would be left.
func (s *Service) changeMember(ctx context.Context, project, user string, e Entry, change func(*membership) ([]storage.Op, error)) error {
	err := retry(ctx, func() error {
		m, err := s.membership(ctx, project, user)
		if err != nil {
			return err
		}
		ops, err := change(&m)
		if err != nil {
			return err
		}
		if m.project.Owners < 1 {
			return lastOwner(user, project)
		}
		ops = append(ops, s.audited(e)...)
		_, err = s.store.Apply(ctx, append(ops, storage.Update(projectsKeys+project, encode(m.project), m.rev))...)
		return err
	})
	if err == nil {
		s.changed(membersKeys + project + "/" + user)
	}
	return err
}

func lastOwner(user, project string) error {
	return problem.New(problem.Conflict, "%s is the last data owner of project %q; make somebody else one first", user, project)
}
