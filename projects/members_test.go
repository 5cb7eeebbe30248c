package projects_test

import (
	"fmt"
	"testing"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/projects"
)

func TestLastOwnerStays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	wantCode(t, b.people.RemoveMember(ctx, projects.By{}, "demo", "olga"), problem.Conflict)
	_, err := b.people.SetMember(ctx, projects.By{}, "demo", "olga", projects.DataScientist)
	wantCode(t, err, problem.Conflict)

	_, err = b.people.SetMember(ctx, projects.By{}, "demo", "sam", projects.DataOwner)
	must(t, err)
	results := make(chan error, 2)
	for _, name := range []string{"olga", "sam"} {
		go func() { results <- b.people.RemoveMember(ctx, projects.By{}, "demo", name) }()
	}
	first, second := <-results, <-results
	if (first == nil) == (second == nil) {
		t.Errorf("two owners left at once: %v and %v, want one of them refused", first, second)
	}
}

func TestMembersAreCounted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	count := func() int {
		t.Helper()
		p, err := b.people.Project(ctx, "demo")
		must(t, err)
		return p.Members
	}
	if n := count(); n != 2 {
		t.Errorf("members = %d, want 2", n)
	}
	_, err := b.people.SetMember(ctx, projects.By{}, "demo", "sam", projects.DataOwner)
	must(t, err)
	if n := count(); n != 2 {
		t.Errorf("members after a new role = %d, want 2", n)
	}
	must(t, b.people.RemoveMember(ctx, projects.By{}, "demo", "sam"))
	if n := count(); n != 1 {
		t.Errorf("members after a removal = %d, want 1", n)
	}
}

func TestMembershipNeedsARoleAndAUser(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, role := range []projects.Role{"", "owner", projects.SiteAdmin, projects.Steward} {
		_, err := b.people.SetMember(t.Context(), projects.By{}, "demo", "sam", role)
		wantCode(t, err, problem.Invalid)
	}
	_, err := b.people.SetMember(t.Context(), projects.By{}, "demo", "nobody", projects.DataOwner)
	wantCode(t, err, problem.NotFound)
	_, err = b.people.SetMember(t.Context(), projects.By{}, "nothing", "sam", projects.DataOwner)
	wantCode(t, err, problem.NotFound)
	wantCode(t, b.people.RemoveMember(t.Context(), projects.By{}, "demo", "admin"), problem.NotFound)
}

func TestProjectOfTheSameNameKnowsNoOldMembers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, secret := b.token(t, "sam", "demo")
	must(t, b.people.DeleteProject(t.Context(), projects.By{}, "demo"))
	_, err := b.people.Authenticate(t.Context(), secret, "demo")
	wantCode(t, err, problem.NotFound)
	_, err = b.people.CreateProject(t.Context(), projects.By{}, "demo", "", "olga")
	must(t, err)
	_, err = b.people.Authenticate(t.Context(), secret, "demo")
	wantCode(t, err, problem.NotFound)
	members, _, err := b.people.Members(t.Context(), "demo", projects.Page{})
	must(t, err)
	if len(members) != 1 || members[0].User != "olga" || members[0].Role != projects.DataOwner {
		t.Errorf("members = %v, want olga alone", members)
	}
}

func TestListsComeInPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 5 {
		_, err := b.people.CreateUser(t.Context(), projects.By{}, projects.NewUser{Name: fmt.Sprintf("u%d", i)})
		must(t, err)
	}
	var names []string
	for p := (projects.Page{Limit: 3}); ; {
		users, next, err := b.people.Users(t.Context(), p)
		must(t, err)
		if len(users) > 3 {
			t.Fatalf("a page has %d users, want at most 3", len(users))
		}
		for _, u := range users {
			names = append(names, u.Name)
		}
		if next == "" {
			break
		}
		p.After = next
	}
	if fmt.Sprint(names) != "[admin olga sam u0 u1 u2 u3 u4]" {
		t.Errorf("pages hold %v", names)
	}
}
